import type { Keyring } from '../credentials/keyring.js';
import type { Lookup, LookupQueries } from '../credentials/lookup.js';
import { IS_REVOKED } from '../credentials/verdict-sql.js';
import { expiresAroundNow } from '../db/partitions.js';
import { serviceUnavailable } from '../http/problem.js';
import type { Role } from '../scopes/roles.js';

/** What is stored beside a refresh token, under the names that the protocol's library gave it. */
export interface RefreshPayload {
  readonly scope?: string;
  /** The resources that were asked for at authorization (RFC 8707). */
  readonly resource?: string | readonly string[];
  readonly gty?: string;
  readonly rotations?: number;
  readonly iat?: number;
  readonly exp?: number;
  readonly nonce?: string;
  readonly authTime?: number;
  /** Claims that were asked for by name, such as by `max_age`. */
  readonly claims?: { readonly id_token?: Readonly<Record<string, unknown>> };
}

/** A refresh token with everything that it hangs on, as it was when it was looked up. */
export interface RefreshRow {
  readonly digest: string;
  readonly payload: RefreshPayload;
  /** Whether it is consumed, by however little. */
  readonly is_used: boolean;
  /** Whether it was before the request came. A token consumed since was only lost to a concurrent request. */
  readonly was_consumed_before: boolean;
  /** To the microsecond, which a Date would lose. */
  readonly expires_at: string;
  /** Seconds, by the database's clock; negative once it has expired. */
  readonly remaining: number;
  readonly grant_id: string;
  readonly client_id: string;
  readonly tenant_id: string;
  readonly account_id: string;
  readonly scopes: readonly string[];
  /** The grant, or anything wider, was revoked. */
  readonly is_dead: boolean;
  /** `null` if the account has left the tenant. */
  readonly role: Role | null;
  readonly email: string;
  readonly account_name: string | null;
  readonly is_email_verified: boolean;
  readonly is_suspended: boolean;
  /** Seconds since the authorization, by the database's clock. */
  readonly grant_age: number;
}

/** What the database says: how long ago it was consumed, negative while the answer is held back. */
interface StoredRow extends Omit<RefreshRow, 'is_used' | 'was_consumed_before'> {
  readonly consumed_for: number | null;
}

/** One text for the whole row: reading one column costs a fraction of reading twenty. */
export const REFRESH_QUERIES: LookupQueries<'refresh_tokens'> = {
  refresh_tokens: (digests) => `
    SELECT s.digest, NULL, json_build_object(
      'digest', s.digest, 'payload', s.payload,
      'consumed_for', extract(epoch FROM gatehouse_now() - s.consumed_at)::float8,
      'expires_at', s.expires_at::text,
      'remaining', extract(epoch FROM s.expires_at - gatehouse_now())::float8,
      'grant_id', c.id, 'client_id', c.client_id, 'tenant_id', c.tenant_id,
      'account_id', c.account_id, 'scopes', c.scopes, 'is_dead', ${IS_REVOKED}, 'role', m.role,
      'email', a.email, 'account_name', a.name,
      'is_email_verified', a.email_verified_at IS NOT NULL, 'is_suspended', t.suspended_at IS NOT NULL,
      'grant_age', extract(epoch FROM gatehouse_now() - c.created_at)::float8)::text
    FROM refresh_tokens s JOIN grants c ON c.id = s.grant_id
      JOIN accounts a ON a.id = c.account_id
      JOIN tenants t ON t.id = c.tenant_id
      LEFT JOIN memberships m ON m.account_id = c.account_id AND m.tenant_id = c.tenant_id
    WHERE s.digest = ANY (${digests}::text[]) AND ${expiresAroundNow('refresh_tokens', 's')}`,
};

/**
 * @param since when the request came that presents it, by the process's `performance.now()`
 * @returns `undefined` if there is none; throws Problem `service_unavailable`
 */
export type FindRefreshRow = (secret: string, since: number) => Promise<RefreshRow | undefined>;

export function createRefreshRows(
  lookup: Lookup<'refresh_tokens'>,
  keyring: Keyring,
): FindRefreshRow {
  async function read(digests: readonly string[], onAsked?: (at: number) => void) {
    try {
      const found = await lookup.find('refresh_tokens', digests, onAsked);
      return found && (JSON.parse(found[2]) as StoredRow);
    } catch (error) {
      throw serviceUnavailable(error);
    }
  }

  return async (secret, since) => {
    let waited = 0;
    const stored = await read(keyring.digests(secret), (at) => {
      waited = (at - since) / 1000;
    });
    if (stored === undefined) return undefined;
    const { consumed_for: consumedFor, ...row } = stored;
    const isUsed = consumedFor !== null;
    const wasBefore = isUsed && wasConsumed(consumedFor, waited);
    return { ...row, is_used: isUsed, was_consumed_before: wasBefore };
  };
}

/**
 * Longer ago than the request has waited for its turn. Of requests that compete, one may well be done
 * before another is read: that is no reuse. Compared are two spans, and never two machines' clocks; one
 * that lies ahead by more than an answer is held back means that a clock was set, and nothing else.
 */
function wasConsumed(consumedFor: number, waited: number): boolean {
  return consumedFor > waited || consumedFor < -1;
}

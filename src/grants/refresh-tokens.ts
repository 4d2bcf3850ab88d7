import type { Actor } from '../audit/index.js';
import type { Keyring, Lookup, LookupQueries, SecretFormat } from '../credentials/index.js';
import { IS_REVOKED } from '../credentials/tables.js';
import { expiresAroundNow } from '../db/partitions.js';
import { serviceUnavailable } from '../http/errors/problem.js';
import type { Scope } from '../scopes/catalog.js';
import { delegableThroughOauth, type Role } from '../scopes/roles.js';
import { commonTo, inCatalogOrder } from '../scopes/scope-set.js';

/** The payload of a refresh token, with oidc-provider's member names. */
export interface RefreshPayload {
  readonly scope?: string;
  /** The resources requested at authorization (RFC 8707). */
  readonly resource?: string | readonly string[];
  readonly gty?: string;
  readonly rotations?: number;
  readonly iat?: number;
  readonly exp?: number;
  readonly nonce?: string;
  /** The thumbprint of the key that it is bound to (RFC 9449 §5). */
  readonly jkt?: string;
  readonly authTime?: number;
  /** Claims requested by name, such as `auth_time` through `max_age`. */
  readonly claims?: { readonly id_token?: Readonly<Record<string, unknown>> };
}

/** A resource server that a grant was made for. `scopes`: those that it takes, `null` for all. */
export interface GrantedServer {
  readonly identifier: string;
  readonly scopes: readonly Scope[] | null;
}

/** A refresh token with its grant, account, tenant and membership, as of the lookup. */
export interface RefreshRow {
  readonly digest: string;
  readonly payload: RefreshPayload;
  /** Whether it is consumed, now or at the end of the response delay. */
  readonly is_used: boolean;
  /** Whether it was consumed before the request was received. Later consumption is a lost race. */
  readonly was_consumed_before: boolean;
  /** Text with microseconds, which a Date would lose. */
  readonly expires_at: string;
  /** Seconds, by the database's clock; negative once it has expired. */
  readonly remaining: number;
  readonly grant_id: string;
  readonly client_id: string;
  readonly tenant_id: string;
  readonly account_id: string;
  readonly scopes: readonly string[];
  /** Whether the grant or a wider subject was revoked. */
  readonly is_dead: boolean;
  /** `null` if the account has left the tenant. */
  readonly role: Role | null;
  readonly email: string;
  readonly account_name: string | null;
  readonly is_email_verified: boolean;
  readonly is_suspended: boolean;
  /** The resource servers of the grant that are still registered; `null` if there are none. */
  readonly servers: readonly GrantedServer[] | null;
  /** Seconds since the authorization, by the database's clock. */
  readonly grant_age: number;
}

/** The row as read. `consumed_for`: seconds since it was consumed, negative during the response delay. */
interface StoredRow extends Omit<RefreshRow, 'is_used' | 'was_consumed_before'> {
  readonly consumed_for: number | null;
}

/**
 * The registered resource servers that the grant `c` was made for and that admit its client. A server that was registered
 * after the grant is another one, even under the same identifier.
 */
export const GRANTED_SERVERS = `(
        SELECT json_agg(json_build_object('identifier', r.identifier, 'scopes', r.scopes))
        FROM resource_servers r WHERE r.identifier = ANY (c.resources) AND r.issue_seq < c.issue_seq
          AND (r.dynamic_clients
            OR EXISTS (SELECT FROM clients k WHERE k.id = c.client_id AND k.is_verified)))`;

/** The whole row as one JSON text (perf: decision 7): reading twenty columns costs several times as much. */
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
      'servers', ${GRANTED_SERVERS},
      'is_email_verified', a.email_verified_at IS NOT NULL, 'is_suspended', t.suspended_at IS NOT NULL,
      'grant_age', extract(epoch FROM gatehouse_now() - c.created_at)::float8)::text
    FROM refresh_tokens s JOIN grants c ON c.id = s.grant_id
      JOIN accounts a ON a.id = c.account_id
      JOIN tenants t ON t.id = c.tenant_id
      LEFT JOIN memberships m ON m.account_id = c.account_id AND m.tenant_id = c.tenant_id
    WHERE s.digest = ANY (${digests}::text[]) AND ${expiresAroundNow('refresh_tokens', 's')}`,
};

/**
 * @param since when the request was received, by `performance.now()`
 * @returns `undefined` for an unknown token
 * @throws Problem `service_unavailable`
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
 * Whether a token was consumed longer ago than the request has waited. A concurrent request may be finished before this
 * one is read, which is not reuse. Two durations are compared, never the clocks of two machines. A time further ahead
 * than the response delay means that a clock was set back, and counts as consumed.
 */
function wasConsumed(consumedFor: number, waited: number): boolean {
  return consumedFor > waited || consumedFor < -1;
}

/** Introspection of a refresh token, with the member names of RFC 7662. */
export interface RefreshTokenFacts {
  /** Whether it is unused, unexpired, and its grant, membership and tenant are active. */
  readonly isActive: boolean;
  readonly scope: string;
  readonly client_id: string;
  readonly sub: string;
  readonly tenant_id: string;
  readonly environment: 'live';
  readonly spaces: null;
  readonly principal: { readonly kind: 'user'; readonly id: string };
  readonly role: string | undefined;
  /** Seconds since the epoch. */
  readonly exp: number;
  readonly iat: number | undefined;
}

/** Introspection and revocation of refresh tokens. */
export interface RefreshTokens {
  /** @returns `undefined` unless it was issued to this client */
  find(clientId: string, secret: string): Promise<RefreshTokenFacts | undefined>;
  /**
   * Revokes the token's grant, and so its whole family.
   * @param actor the client; nothing happens if the token was issued to another one
   * @returns whether the token was issued to the client
   */
  revoke(actor: Actor, secret: string): Promise<boolean>;
}

/** Introspection and revocation of refresh tokens, on the rows that refreshes read. */
export function createRefreshTokens({
  findRow,
  format,
  endGrant,
}: {
  findRow: FindRefreshRow;
  format: SecretFormat;
  endGrant: (row: RefreshRow, actor: Actor) => Promise<void>;
}): RefreshTokens {
  async function findOf(clientId: string, secret: string): Promise<RefreshRow | undefined> {
    if (format.read('rt', secret) === undefined) return undefined;
    const row = await findRow(secret, performance.now());
    return row?.client_id === clientId ? row : undefined;
  }
  return {
    async find(clientId, secret) {
      const row = await findOf(clientId, secret);
      return row && describe(row);
    },
    async revoke(actor, secret) {
      const row = await findOf(actor.id, secret);
      if (row === undefined) return false;
      // Recorded once, so that repeated requests do not fill the audit log.
      if (!row.is_dead) await endGrant(row, actor);
      return true;
    },
  };
}

function describe(row: RefreshRow): RefreshTokenFacts {
  const { role } = row;
  const isGood = !row.is_used && row.remaining > 0 && !row.is_dead && !row.is_suspended;
  const scopes = role === null ? [] : delegableThroughOauth(role);
  return {
    isActive: isGood && role !== null,
    scope: commonTo(inCatalogOrder(row.scopes), scopes).join(' '),
    client_id: row.client_id,
    sub: row.account_id,
    tenant_id: row.tenant_id,
    environment: 'live',
    spaces: null,
    principal: { kind: 'user', id: row.account_id },
    role: role ?? undefined,
    exp: Math.floor(Date.now() / 1000 + row.remaining),
    iat: row.payload.iat,
  };
}

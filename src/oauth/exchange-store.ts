import type { Keyring, Sealed } from '../credentials/keyring.js';
import { IS_REVOKED } from '../credentials/verdict-sql.js';
import type { RunPrepared } from '../db/prepared.js';
import type { Role } from '../scopes/roles.js';
import type { ClientMetadata } from '../clients/client-metadata.js';

/** Everything that the exchange of a code has to know, as it was when it was asked. */
export interface ExchangeRow {
  readonly client_id: string;
  readonly metadata: ClientMetadata;
  readonly secret_digest: string | null;
  /** `null`, like everything below, if there is no such code. */
  readonly digest: string | null;
  readonly payload: Readonly<Record<string, unknown>>;
  /** It was before the request came. What was consumed since has only been lost to another request. */
  readonly is_consumed: boolean;
  /** To the microsecond, which a Date would lose. */
  readonly expires_at: string;
  /** Seconds, by the database's clock; negative once it has expired. */
  readonly remaining: number;
  readonly grant_id: string;
  readonly grant_client_id: string;
  readonly tenant_id: string;
  readonly account_id: string;
  readonly scopes: readonly string[];
  readonly resources: readonly string[];
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

/** What is put in the place of a code or refresh token. */
export interface Redemption {
  readonly source: 'code' | 'refresh';
  readonly row: {
    readonly digest: string | null;
    readonly expires_at: string;
    readonly grant_id: string;
  };
  readonly access: {
    readonly id: string;
    readonly secret: string;
    readonly scopes: readonly string[];
    readonly audience: string;
    readonly seconds: number;
  };
  readonly refresh:
    | {
        readonly id: string;
        readonly secret: string;
        readonly payload: object;
        readonly seconds: number;
      }
    | undefined;
  /** From when on another use counts as reuse: as long as the answer is held back. */
  readonly competingSeconds: number;
  /** Kept beside the successor for the grace window, if there is one; encrypted under the current key. */
  readonly answer:
    { readonly sealed: Sealed; readonly requestHash: string; readonly seconds: number } | undefined;
}

/** `lost`: another request was faster. `dead`: the grant has ended, or is not there any more. */
export type RedemptionOutcome = 'issued' | 'lost' | 'dead';

export interface ExchangeStore {
  /**
   * @param code as presented; `null` if none was
   * @param since when the request came, by the process's `performance.now()`
   * @returns `undefined` if there is no such client, or it is blocked
   */
  load(clientId: string, code: string | null, since: number): Promise<ExchangeRow | undefined>;
  /** Consumes and issues, or does neither: one statement, one transaction. */
  redeem(redemption: Redemption): Promise<RedemptionOutcome>;
}

/**
 * Longer ago than the request (`$2`, in seconds) has waited for its turn. Of requests that compete, one may
 * well be done before another is read: that is no reuse. Compared are two spans, and never two
 * machines' clocks.
 */
const WAS_CONSUMED = `coalesce(
  extract(epoch FROM gatehouse_now() - s.consumed_at) NOT BETWEEN -1 AND $2::float8, false)`;

/**
 * A statement for each number of digests. Of an array's length the planner knows nothing: it would take
 * so many rows to come of it that planning anew for each request, 0.7 ms, looked cheaper to it than
 * using one plan again.
 */
const load = (digests: number) => ({
  name: `exchange-load-${digests}`,
  text: `
    SELECT client.id AS client_id, client.metadata, client.secret_digest,
      s.digest, s.payload, ${WAS_CONSUMED} AS is_consumed, s.expires_at::text AS expires_at,
      extract(epoch FROM s.expires_at - gatehouse_now())::float8 AS remaining, s.grant_id,
      c.client_id AS grant_client_id, c.tenant_id, c.account_id, c.scopes, c.resources,
      ${IS_REVOKED} AS is_dead,
      m.role, a.email, a.name AS account_name,
      a.email_verified_at IS NOT NULL AS is_email_verified, t.suspended_at IS NOT NULL AS is_suspended,
      extract(epoch FROM gatehouse_now() - c.created_at)::float8 AS grant_age
    FROM clients client
      LEFT JOIN oauth_artifacts s
        ON s.digest IN (${placeholders(digests)}) AND s.kind = 'AuthorizationCode'
      LEFT JOIN grants c ON c.id = s.grant_id
      LEFT JOIN memberships m ON m.account_id = c.account_id AND m.tenant_id = c.tenant_id
      LEFT JOIN accounts a ON a.id = c.account_id
      LEFT JOIN tenants t ON t.id = c.tenant_id
    WHERE client.id = $1 AND client.blocked_at IS NULL`,
});

/** From the third parameter on. */
function placeholders(count: number): string {
  return Array.from({ length: count }, (_, index) => `$${index + 3}`).join(', ') || 'NULL';
}

const REDEEM = {
  name: 'exchange-redeem',
  text: `SELECT redeem_and_issue($1, $2, $3::timestamptz, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
    $14, $15, $16, $17, $18) AS outcome`,
};

export function createExchangeStore(run: RunPrepared, keyring: Keyring): ExchangeStore {
  return {
    async load(clientId, code, since) {
      const digests = code === null ? [] : keyring.digests(code);
      const [row] = await run<ExchangeRow>(load(digests.length), () => [
        ...[clientId, (performance.now() - since) / 1000],
        ...digests,
      ]);
      return row;
    },
    async redeem({ source, row, access, refresh, answer, competingSeconds }) {
      const { digest, keyId } = keyring.digest(access.secret);
      const [result] = await run<{ outcome: RedemptionOutcome }>(REDEEM, [
        source,
        row.digest,
        row.expires_at,
        row.grant_id,
        keyId,
        access.id,
        digest,
        access.scopes,
        access.audience,
        access.seconds,
        refresh?.id,
        refresh && keyring.digest(refresh.secret).digest,
        refresh && JSON.stringify(refresh.payload),
        refresh?.seconds,
        answer?.sealed.ciphertext,
        answer?.requestHash,
        answer?.seconds,
        competingSeconds,
      ]);
      return result?.outcome ?? 'dead';
    },
  };
}

import type { Keyring } from '../../credentials/index.js';
import { IS_REVOKED } from '../../credentials/tables.js';
import { expiresAroundNow } from '../../db/partitions.js';
import type { RunPrepared } from '../../db/prepared.js';
import type { Role } from '../../scopes/roles.js';
import type { ClientMetadata } from '../../clients/index.js';

/** A client, and the code that it presents with its grant. */
export interface CodeRow {
  readonly client_id: string;
  readonly metadata: ClientMetadata;
  readonly secret_digest: string | null;
  /** `null`, like the members below, if the code does not exist. */
  readonly digest: string | null;
  readonly payload: Readonly<Record<string, unknown>>;
  /** Whether it was consumed before the request was received. Later consumption is a lost race. */
  readonly is_consumed: boolean;
  /** Text with microseconds, which a Date would lose. */
  readonly expires_at: string;
  /** Seconds, by the database's clock; negative once it has expired. */
  readonly remaining: number;
  readonly grant_id: string;
  readonly grant_client_id: string;
  readonly tenant_id: string;
  readonly account_id: string;
  readonly scopes: readonly string[];
  readonly resources: readonly string[];
  /** Whether the grant or a wider subject was revoked. */
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

/** Authorization codes. Only digests of them are stored. */
export interface CodeStore {
  insertCode(
    code: string,
    payload: object,
    options: { readonly grantId: string | undefined; readonly seconds: number },
  ): Promise<void>;
  /**
   * @param code as presented; `null` if none was
   * @param since when the request was received, by `performance.now()`
   * @returns `undefined` if the client is unknown or blocked
   */
  loadCode(clientId: string, code: string | null, since: number): Promise<CodeRow | undefined>;
}

const INSERT_CODE = {
  name: 'code-insert',
  text: `
    INSERT INTO oauth_artifacts (digest, digest_key_id, kind, payload, grant_id, expires_at)
    VALUES ($1, $2, 'AuthorizationCode', $3::jsonb, $4, gatehouse_now() + make_interval(secs => $5))`,
};

/**
 * Whether the code was consumed longer ago than the request has waited (`$2`, seconds). A concurrent request may be
 * finished before this one is read, which is not reuse. Two durations are compared, never the clocks of two machines.
 */
const WAS_CONSUMED = `coalesce(
  extract(epoch FROM gatehouse_now() - s.consumed_at) NOT BETWEEN -1 AND $2::float8, false)`;

/**
 * One statement per number of digests. With an array parameter the planner overestimates the rows and plans every
 * execution again, which costs 0.7 ms.
 */
const loadCode = (digests: number) => ({
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
        AND ${expiresAroundNow('oauth_artifacts', 's')}
      LEFT JOIN grants c ON c.id = s.grant_id
      LEFT JOIN memberships m ON m.account_id = c.account_id AND m.tenant_id = c.tenant_id
      LEFT JOIN accounts a ON a.id = c.account_id
      LEFT JOIN tenants t ON t.id = c.tenant_id
    WHERE client.id = $1 AND client.blocked_at IS NULL`,
});

/** Placeholders from the third parameter on. */
function placeholders(count: number): string {
  return Array.from({ length: count }, (_, index) => `$${index + 3}`).join(', ') || 'NULL';
}

export function createCodeStore(run: RunPrepared, keyring: Keyring): CodeStore {
  return {
    async insertCode(code, payload, { grantId, seconds }) {
      const { digest, keyId } = keyring.digest(code);
      await run(INSERT_CODE, [digest, keyId, JSON.stringify(payload), grantId ?? null, seconds]);
    },
    async loadCode(clientId, code, since) {
      const digests = code === null ? [] : keyring.digests(code);
      const [row] = await run<CodeRow>(loadCode(digests.length), () => [
        clientId,
        (performance.now() - since) / 1000,
        ...digests,
      ]);
      return row;
    },
  };
}

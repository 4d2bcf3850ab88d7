import { type Keyring, proofSubjects } from '../../credentials/index.js';
import { IS_EXPIRED, IS_REVOKED } from '../../credentials/tables.js';
import type { RunPrepared } from '../../db/prepared.js';
import type { Scope } from '../../scopes/catalog.js';

/** An access token to be issued for a key. */
export interface ExchangedToken {
  readonly id: string;
  readonly secret: string;
  /** The id of the key. */
  readonly parentId: string;
  readonly scopes: readonly Scope[];
  /** `null` for those of the key. */
  readonly spaces: readonly string[] | null;
  readonly audience: string;
  /** The resource server with this audience; `null` for this server itself. */
  readonly serverId: string | null;
  /** The thumbprint of the key of the client that it is bound to. */
  readonly proofKey: string | undefined;
  /** Lifetime, cut to that of the parent. */
  readonly seconds: number;
}

export interface ExchangeStore {
  /** @returns the lifetime in seconds; `undefined` if the key, or the resource server, has ended meanwhile */
  insert(token: ExchangedToken): Promise<number | undefined>;
}

/**
 * The token has the subjects of its parent and its position in the order of issues, so that everything that ends the key
 * ends the token, whenever that was inserted. A bound key stays the last subject.
 */
const INSERT = {
  name: 'exchange-insert',
  text: `
    INSERT INTO access_tokens (digest, digest_key_id, id, tenant_id, parent_id, scopes, spaces, audience,
        server_id, subjects, issue_seq, issued_at, expires_at)
      SELECT $1, $2, $3::text, c.tenant_id, c.id, $5::text[], $6::text[], $7, server.id,
        array_remove(ARRAY[$3::text, server.id], NULL) || c.subjects
          || CASE WHEN $9::text IS NULL OR c.subjects[cardinality(c.subjects)] = $9::text
               THEN '{}'::text[] ELSE ARRAY[$9::text] END,
        c.issue_seq, gatehouse_now(),
        least(gatehouse_now() + make_interval(secs => $10), c.expires_at)
      FROM credentials c LEFT JOIN resource_servers server ON server.id = $8::text
      WHERE c.id = $4 AND NOT ${IS_REVOKED} AND NOT ${IS_EXPIRED}
        AND ($8::text IS NULL OR server.id IS NOT NULL)
      RETURNING extract(epoch FROM expires_at - issued_at)::float8 AS seconds`,
};

export function createExchangeStore(run: RunPrepared, keyring: Keyring): ExchangeStore {
  return {
    async insert(token) {
      const { digest, keyId } = keyring.digest(token.secret);
      const [row] = await run<{ seconds: number }>(INSERT, [
        digest,
        keyId,
        token.id,
        token.parentId,
        token.scopes,
        token.spaces,
        token.audience,
        token.serverId,
        proofSubjects(token.proofKey)[0] ?? null,
        token.seconds,
      ]);
      return row && Math.floor(row.seconds);
    },
  };
}

import type { EntityManager } from 'typeorm';

import type { Digest } from '../credentials/index.js';
import type { CredentialStatus } from '../credentials/kinds.js';
import { IS_EXPIRED, IS_REVOKED } from '../credentials/tables.js';
import type { OperatorScope } from './scopes.js';

/** An operator key with its current state. */
export interface OperatorKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly OperatorScope[];
  /** `null`: every address. */
  readonly allowedIps: readonly string[] | null;
  readonly status: CredentialStatus;
  readonly masked: string;
  readonly expiresAt: Date | null;
  readonly replaces: string | null;
  readonly createdAt: Date;
  /** Up to seven seconds behind. */
  readonly lastUsedAt: Date | null;
  readonly lastUsedIp: string | null;
}

export interface OperatorKeyStore {
  insert(key: {
    readonly id: string;
    readonly name: string;
    readonly scopes: readonly OperatorScope[];
    readonly allowedIps: readonly string[] | null;
    readonly expiresAt: Date | null;
    readonly replaces: string | null;
    readonly digest: Digest;
    readonly masked: string;
    readonly issueSeq: string;
  }): Promise<void>;
  find(id: string): Promise<OperatorKey | undefined>;
  /** As `find`, with a lock on the row until the transaction ends. */
  findForUpdate(id: string): Promise<OperatorKey | undefined>;
  /** Newest first, after the id `after`. */
  list(page: {
    readonly limit: number;
    readonly after: string | undefined;
  }): Promise<readonly OperatorKey[]>;
  isReplaced(id: string): Promise<boolean>;
  /** Makes it expire after this number of seconds, unless it expires earlier. */
  expireWithin(id: string, seconds: number): Promise<void>;
  /** The database's time that many seconds from now. */
  timeIn(seconds: number): Promise<Date>;
}

const STATUS = `CASE WHEN ${IS_REVOKED} THEN 'revoked' WHEN ${IS_EXPIRED} THEN 'expired' ELSE 'active' END`;
const COLUMNS = `c.id, c.name, c.scopes, c.allowed_ips AS "allowedIps", ${STATUS} AS status, c.masked,
  c.expires_at AS "expiresAt", c.replaces, c.created_at AS "createdAt", u.used_at AS "lastUsedAt", u.address AS "lastUsedIp"`;
const FROM = 'FROM operator_keys c LEFT JOIN operator_key_uses u ON u.operator_key_id = c.id';

export function createOperatorKeyStore(manager: EntityManager): OperatorKeyStore {
  const findWith = async (id: string, lock: string) =>
    (
      await manager.query<OperatorKey[]>(`SELECT ${COLUMNS} ${FROM} WHERE c.id = $1 ${lock}`, [id])
    )[0];
  return {
    async insert({ id, name, scopes, allowedIps, expiresAt, replaces, digest, masked, issueSeq }) {
      await manager.query(
        `INSERT INTO operator_keys (id, name, scopes, allowed_ips, expires_at, replaces, digest,
           digest_key_id, masked, subjects, issue_seq)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, ARRAY[$1], $10)`,
        [
          id,
          name,
          scopes,
          allowedIps,
          expiresAt,
          replaces,
          digest.digest,
          digest.keyId,
          masked,
          issueSeq,
        ],
      );
    },
    find: (id) => findWith(id, ''),
    findForUpdate: (id) => findWith(id, 'FOR UPDATE OF c'),
    list: ({ limit, after }) =>
      manager.query<OperatorKey[]>(
        `SELECT ${COLUMNS} ${FROM} WHERE $2::text IS NULL OR c.id < $2
         ORDER BY c.id DESC LIMIT $1`,
        [limit, after ?? null],
      ),
    async isReplaced(id) {
      const rows = await manager.query<object[]>(
        'SELECT FROM operator_keys WHERE replaces = $1 LIMIT 1',
        [id],
      );
      return rows.length > 0;
    },
    async expireWithin(id, seconds) {
      await manager.query(
        `UPDATE operator_keys
         SET expires_at = least(expires_at, gatehouse_now() + make_interval(secs => $2)) WHERE id = $1`,
        [id, seconds],
      );
    },
    async timeIn(seconds) {
      const [row] = await manager.query<[{ time: Date }]>(
        'SELECT gatehouse_now() + make_interval(secs => $1) AS time',
        [seconds],
      );
      return row.time;
    },
  };
}

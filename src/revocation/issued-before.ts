import type { EntityManager } from 'typeorm';

import { createRevocationStore } from '../credentials/revocation-store.js';
import { IS_EXPIRED, IS_REVOKED } from '../credentials/verdict-sql.js';

/** How many were good and are ended. */
export interface EndedCounts {
  readonly keys: number;
  readonly grants: number;
  readonly sessions: number;
}

export interface EndingBefore {
  /** Everything that was issued before this time ends. */
  readonly time: Date;
  /** Whether keys and personal tokens end too, beside grants with their tokens, sessions and sign-ins under way. */
  readonly withKeys: boolean;
  readonly by: string;
  readonly reason: string | null;
}

/** What a query says of rows `c` that come before the place `$1` in the order of issues. */
const WAS_GOOD = `c.issue_seq < $1 AND NOT ${IS_REVOKED}`;

/**
 * Ends everything that was issued before a time, whatever its kind: one transaction, so that every replica
 * refuses all of it from the next request on.
 *
 * Each tenant is revoked, or without keys each client that has a grant, as of that time in the order of issues and
 * revocations. That is a fact which replicas of earlier releases know, too. Sessions belong to no tenant and
 * are ended one by one.
 *
 * @param manager a transaction's
 */
export async function endIssuedBefore(
  manager: EntityManager,
  { time, withKeys, by, reason }: EndingBefore,
): Promise<EndedCounts> {
  await createRevocationStore(manager).lockEverything();
  const cut = await findPlace(manager, time);
  const keys = withKeys
    ? await count(manager, `credentials c WHERE ${WAS_GOOD} AND NOT ${IS_EXPIRED}`, cut)
    : 0;
  const grants = await count(
    manager,
    `grants c WHERE ${WAS_GOOD} AND c.keep_until > gatehouse_now()`,
    cut,
  );
  const [{ sessions }] = await manager.query<[{ sessions: number }]>(
    `WITH ended AS (
       UPDATE sessions c SET expires_at = gatehouse_now(), payload = '{}'
       WHERE c.issue_seq < $1 AND NOT ${IS_EXPIRED} RETURNING c.account_id)
     SELECT count(account_id)::int AS sessions FROM ended`,
    [cut],
  );
  // A sign-in under way can hold a password that was typed before.
  await manager.query(
    `DELETE FROM oauth_artifacts
     WHERE kind = 'Interaction' AND created_at < $1`,
    [time],
  );
  await manager.query(
    `INSERT INTO revocations (subject, seq, reason, revoked_by)
     SELECT subject, $1, $2, $3
     FROM (${withKeys ? 'SELECT id AS subject FROM tenants' : 'SELECT DISTINCT client_id AS subject FROM grants'}) AS wide
     ON CONFLICT DO NOTHING`,
    [cut, reason, by],
  );
  return { keys, grants, sessions };
}

/** The first place in the order of issues that is behind everything issued before a time. */
async function findPlace(manager: EntityManager, time: Date): Promise<string> {
  const [{ last }] = await manager.query<[{ last: string }]>(
    `SELECT greatest(
       (SELECT max(issue_seq) FROM credentials WHERE created_at < $1),
       (SELECT max(issue_seq) FROM grants WHERE created_at < $1),
       (SELECT max(issue_seq) FROM sessions WHERE created_at < $1), 0) + 1 AS last`,
    [time],
  );
  return last;
}

async function count(manager: EntityManager, rows: string, cut: string): Promise<number> {
  const [row] = await manager.query<[{ count: number }]>(
    `SELECT count(*)::int AS count FROM ${rows}`,
    [cut],
  );
  return row.count;
}

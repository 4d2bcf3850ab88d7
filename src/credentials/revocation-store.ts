import type { EntityManager } from 'typeorm';

import { inBatches } from '../db/batches.js';

/**
 * The one place where anything is ended.
 *
 * A subject is an identifier: of a credential, a grant, a client, a membership (`usr_…@tnt_…`), an
 * account or a tenant. A credential carries its subjects, and dies with any of them that is
 * revoked after it was issued. Before and after are the order of one sequence, drawn while holding
 * the subject's lock (shared to issue, exclusive to revoke): an issuing transaction is either seen by a
 * revocation, or comes after it and sees it. Clocks and transaction starts would not tell.
 */
export interface RevocationStore {
  /**
   * Takes the locks to issue something, and to end something in the same transaction. They are held
   * until it ends, and taken at once, in one order, so that two transactions cannot wait for each
   * other.
   *
   * @param under the subjects of what is issued, and of everybody it is owed to
   * @param ending subjects that the transaction will revoke
   * @returns the new credential's place in the order of issues and revocations
   */
  drawIssueOrder(under: readonly string[], ending?: readonly string[]): Promise<string>;
  /**
   * Waits for everything that is just being issued, and holds up what is to be issued until the transaction
   * ends: for revocations of everything.
   */
  lockEverything(): Promise<void>;
  /** Ends a subject, with everything under it that was issued up to now. Repeating it is harmless. */
  revoke(subject: string, by: string, reason: string | null): Promise<void>;
}

/** What everything is issued under. No identifier is written like this. */
const EVERYTHING = '*';

/** @param manager must be a transaction's: the locks last as long as it does */
export function createRevocationStore(manager: EntityManager): RevocationStore {
  return {
    async drawIssueOrder(under, ending = []) {
      await lock(manager, [EVERYTHING, ...under], ending);
      return drawOrder(manager);
    },
    lockEverything: () => lock(manager, [], [EVERYTHING]),
    async revoke(subject, by, reason) {
      await lock(manager, [], [subject]);
      const seq = await drawOrder(manager);
      await manager.query(
        `INSERT INTO revocations (subject, seq, reason, revoked_by) VALUES ($1, $2, $3, $4)`,
        [subject, seq, reason, by],
      );
      // The later one holds for all that earlier ones ended.
      await manager.query(`DELETE FROM revocations WHERE subject = $1 AND seq < $2::bigint`, [
        ...[subject, seq],
      ]);
    },
  };
}

/** Longer than any token or grant outlives its last refresh. */
const FORGOTTEN_AFTER_DAYS = 32;

/**
 * Forgets revocations of grants and tokens which have expired since, a bounded number at a time. All others
 * are kept permanently. A grant's is kept as long as the grant itself is, whatever its dates say.
 *
 * @param signal ends it after those that are just being forgotten
 */
export function deleteExpiredRevocations(
  manager: EntityManager,
  signal?: AbortSignal,
): Promise<number> {
  return inBatches(async (limit) => {
    const [{ count }] = await manager.query<[{ count: number }]>(
      `WITH deleted AS (
         DELETE FROM revocations WHERE (subject, seq) IN (
           SELECT r.subject, r.seq FROM revocations r
           WHERE (starts_with(r.subject, 'grt_') OR starts_with(r.subject, 'tok_'))
             AND r.revoked_at <= gatehouse_now() - make_interval(days => $1)
             AND NOT EXISTS (SELECT FROM grants g WHERE g.id = r.subject)
           ORDER BY r.revoked_at LIMIT $2 FOR UPDATE SKIP LOCKED)
         RETURNING 1)
       SELECT count(*)::int AS count FROM deleted`,
      [FORGOTTEN_AFTER_DAYS, limit],
    );
    return count;
  }, signal);
}

async function lock(
  manager: EntityManager,
  shared: readonly string[],
  exclusive: readonly string[],
): Promise<void> {
  // In the order of the locks' own numbers; a subject that is wanted in both modes, in the stronger.
  await manager.query(
    `SELECT CASE WHEN is_exclusive THEN pg_advisory_xact_lock(number) IS NULL
                 ELSE pg_advisory_xact_lock_shared(number) IS NULL END
     FROM (
       SELECT hashtextextended(subject, 0) AS number, bool_or(is_exclusive) AS is_exclusive
       FROM (SELECT unnest($1::text[]), false UNION ALL SELECT unnest($2::text[]), true)
         AS wanted (subject, is_exclusive)
       GROUP BY 1 ORDER BY 1) AS ordered`,
    [shared, exclusive],
  );
}

async function drawOrder(manager: EntityManager): Promise<string> {
  // A statement of its own: drawn in the one above, it could be drawn before the locks are held.
  const [row] = await manager.query<[{ seq: string }]>(`SELECT nextval('issue_order') AS seq`);
  return row.seq;
}

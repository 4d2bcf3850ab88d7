import type { EntityManager } from 'typeorm';

/**
 * The one place where anything is ended.
 *
 * A subject is an identifier: of a credential, a grant, a client, a membership (`usr_…@tnt_…`), an
 * account or a tenant. A credential carries its subjects, and dies with any of them that is
 * revoked after it was issued. Before and after are the order of one sequence, drawn while holding
 * the subject's lock (shared to issue, exclusive to revoke): whoever issues either is seen by a
 * revocation, or comes after it and sees it. Clocks and transaction starts would not tell.
 */
export interface RevocationStore {
  /**
   * Takes the locks to issue something under these subjects. Held until the transaction ends.
   * @returns the new credential's place in the order of issues and revocations
   */
  drawIssueOrder(subjects: readonly string[]): Promise<string>;
  /** Ends a subject, with everything under it that was issued up to now. Repeating it is harmless. */
  revoke(subject: string, by: string, reason: string | null): Promise<void>;
}

/** @param manager must be a transaction's: the locks last as long as it does */
export function createRevocationStore(manager: EntityManager): RevocationStore {
  return {
    async drawIssueOrder(subjects) {
      await lock(manager, subjects, 'pg_advisory_xact_lock_shared');
      return drawOrder(manager);
    },
    async revoke(subject, by, reason) {
      await lock(manager, [subject], 'pg_advisory_xact_lock');
      const seq = await drawOrder(manager);
      await manager.query(
        `INSERT INTO revocations (subject, seq, reason, revoked_by) VALUES ($1, $2, $3, $4)`,
        [subject, seq, reason, by],
      );
    },
  };
}

async function lock(
  manager: EntityManager,
  subjects: readonly string[],
  lockFunction: 'pg_advisory_xact_lock' | 'pg_advisory_xact_lock_shared',
): Promise<void> {
  // In the order of the locks' own numbers, so that two transactions cannot wait for each other.
  await manager.query(
    `SELECT ${lockFunction}(number) FROM (
       SELECT DISTINCT hashtextextended(subject, 0) AS number
       FROM unnest($1::text[]) AS subject ORDER BY 1) AS ordered`,
    [subjects],
  );
}

async function drawOrder(manager: EntityManager): Promise<string> {
  // A statement of its own: drawn in the one above, it could be drawn before the locks are held.
  const [row] = await manager.query<[{ seq: string }]>(`SELECT nextval('issue_order') AS seq`);
  return row.seq;
}

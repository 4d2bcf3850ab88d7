import type { EntityManager } from 'typeorm';

/**
 * Stores revocations. All revocations go through it (decisions 3 and 9). Verdicts read them by `IS_REVOKED`.
 *
 * A subject is the identifier of a credential, grant, client, membership (`usr_…@tnt_…`), account or tenant. A
 * credential has several subjects. It is revoked if one of them is revoked after it was issued. The order is that of
 * one sequence, whose values are drawn under the subject's lock (shared to issue, exclusive to revoke). So a
 * revocation either covers a concurrent issue or precedes it. Clocks and transaction starts do not give this order.
 */
export interface RevocationStore {
  /**
   * Takes the locks to issue a credential, and to revoke subjects in the same transaction. They are held until its
   * end. They are taken together and in a fixed order, so that transactions do not deadlock.
   *
   * @param under the subjects of the new credential and of the authority that issues it
   * @param ending subjects that the transaction will revoke
   * @returns the new credential's position in the order of issues and revocations
   */
  drawIssueOrder(under: readonly string[], ending?: readonly string[]): Promise<string>;
  /**
   * Waits for all pending issues, and blocks new ones until the transaction ends. For revocations of everything.
   */
  lockEverything(): Promise<void>;
  /**
   * Revokes a subject, and with it everything issued under it so far. Idempotent.
   * @param tenantId the tenant of a token, which the database cannot find by the token's id. It is for the change feed.
   */
  revoke(subject: string, by: string, reason: string | null, tenantId?: string): Promise<void>;
  /** As `revoke`, for several subjects at once. */
  revokeAll(subjects: readonly string[], by: string, reason: string | null): Promise<void>;
}

/** The subject under which everything is issued. It cannot be an identifier. */
const EVERYTHING = '*';

/** @param manager must belong to a transaction, until whose end the locks are held */
export function createRevocationStore(manager: EntityManager): RevocationStore {
  async function revokeAll(subjects: readonly string[], by: string, reason: string | null) {
    if (subjects.length === 0) return;
    await lock(manager, [], subjects);
    const seq = await drawOrder(manager);
    await manager.query(
      `INSERT INTO revocations (subject, seq, reason, revoked_by)
       SELECT DISTINCT subject, $2::bigint, $3, $4 FROM unnest($1::text[]) AS subject`,
      [subjects, seq, reason, by],
    );
    // The later one holds for all that earlier ones ended.
    await manager.query(
      `DELETE FROM revocations WHERE subject = ANY ($1::text[]) AND seq < $2::bigint`,
      [subjects, seq],
    );
  }

  return {
    async drawIssueOrder(under, ending = []) {
      await lock(manager, [EVERYTHING, ...under], ending);
      return drawOrder(manager);
    },
    lockEverything: () => lock(manager, [], [EVERYTHING]),
    async revoke(subject, by, reason, tenantId) {
      if (tenantId !== undefined) {
        await manager.query(`SELECT set_config('gatehouse.tenant', $1, true)`, [tenantId]);
      }
      await revokeAll([subject], by, reason);
    },
    revokeAll,
  };
}

async function lock(
  manager: EntityManager,
  shared: readonly string[],
  exclusive: readonly string[],
): Promise<void> {
  // Ordered by lock number. A subject requested in both modes is locked exclusively.
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
  // A separate statement, so that the value is drawn after the locks are held.
  const [row] = await manager.query<[{ seq: string }]>(`SELECT nextval('issue_order') AS seq`);
  return row.seq;
}

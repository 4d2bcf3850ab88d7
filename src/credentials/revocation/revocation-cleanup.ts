import type { EntityManager } from 'typeorm';

import { inBatches, inRanges, type Range } from '../../db/batches.js';

/** Longer than the lifetime of any token or grant after its last refresh. */
const NARROW_KEPT_DAYS = 32;

/**
 * Deletes revocations of expired grants and tokens, a bounded number at a time. The revocation of a grant is kept as
 * long as the grant's row.
 *
 * @param signal stops after the current batch
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
      [NARROW_KEPT_DAYS, limit],
    );
    return count;
  }, signal);
}

/** Longer than a session lives after its account was revoked, and any token. */
const WIDE_KEPT_DAYS = 100;

/** Revocations of keys are deleted with the key, those of grants and tokens by their age. */
const WIDE_SUBJECTS = ['cli_', 'http://', 'https://', 'tnt_', 'usr_'] as const;

/** The parts of `usr_…@tnt_…` and `cli_…@tnt_…`. The id of a client can be a URL that contains `@`. */
const FIRST = `regexp_replace(r.subject, '@tnt_[0-9A-Z]+$', '')`;
const TENANT = `substring(r.subject FROM '@(tnt_[0-9A-Z]+)$')`;

/** Whether the subject of a revocation `r` exists, or a personal token that was issued under it before. */
const EXISTS = `(
  EXISTS (SELECT FROM clients WHERE id = ${FIRST})
  OR EXISTS (SELECT FROM tenants WHERE id = r.subject)
  OR EXISTS (SELECT FROM accounts WHERE id = r.subject)
  OR EXISTS (SELECT FROM memberships WHERE account_id = ${FIRST}
    AND tenant_id = ${TENANT})
  OR EXISTS (SELECT FROM credentials c WHERE c.principal_kind = 'user'
    AND c.principal_id = ${FIRST} AND c.tenant_id = ${TENANT}
    AND c.issue_seq < r.seq))`;

/**
 * Deletes revocations of clients, memberships, accounts and tenants that end nothing: a later one of the same subject
 * covers them, or nothing that they ended exists. The database refuses to delete others (`keep_needed_revocations`).
 * Looks at all of them: to be called every hour.
 *
 * @param signal stops after the current range
 */
export async function deleteNeedlessRevocations(
  manager: EntityManager,
  signal?: AbortSignal,
): Promise<number> {
  let total = 0;
  for (const prefix of WIDE_SUBJECTS) {
    total += await inRanges(async (from, limit) => {
      const [subject = prefix, seq = '-1'] = from?.split(' ') ?? [];
      const [range] = await manager.query<[Range]>(
        `WITH range AS (
           SELECT subject, seq, revoked_at FROM revocations
           WHERE (subject, seq) > ($1, $2::bigint) AND subject < $3
           ORDER BY subject, seq LIMIT $4),
         deleted AS (
           DELETE FROM revocations WHERE (subject, seq) IN (
             SELECT r.subject, r.seq FROM range r
             WHERE r.revoked_at <= gatehouse_now() - make_interval(days => $5)
               AND (EXISTS (SELECT FROM revocations later
                   WHERE later.subject = r.subject AND later.seq > r.seq)
                 OR NOT ${EXISTS}))
           RETURNING 1)
         SELECT (SELECT subject || ' ' || seq FROM range ORDER BY subject DESC, range.seq DESC LIMIT 1)
             AS last, (SELECT count(*)::int FROM deleted) AS deleted`,
        [subject, seq, `${prefix}~`, limit, WIDE_KEPT_DAYS],
      );
      return range;
    }, signal);
  }
  return total;
}

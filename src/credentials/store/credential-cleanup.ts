import type { DataSource, EntityManager } from 'typeorm';

import { inRanges, type Range } from '../../db/batches.js';

/** Days for which an ended personal token stays listed. */
const PERSONAL_TOKEN_KEPT_DAYS = 90;
/** Days for which the last use of an ended key stays known. The key itself stays listed. */
const LAST_USE_KEPT_DAYS = 365;

/** It ended, one way or another, so many days ago. What has ended never lives again. */
const endedFor = (days: string) => `(
  c.expires_at <= gatehouse_now() - make_interval(days => ${days})
  OR EXISTS (SELECT FROM revocations r WHERE r.subject = ANY (c.subjects) AND r.seq > c.issue_seq
    AND r.revoked_at <= gatehouse_now() - make_interval(days => ${days})))`;

/**
 * Deletes personal tokens that ended 90 days ago, with their last use and their own revocations. A presented one is
 * unknown from then on. Looks at every personal token: to be called every hour.
 *
 * @param signal stops after the current range
 */
export function deleteEndedPersonalTokens(
  dataSource: DataSource,
  signal?: AbortSignal,
): Promise<number> {
  return inRanges(
    (from, limit) =>
      dataSource.transaction(async (manager) => {
        const [account = '', seq = '0'] = from?.split(' ') ?? [];
        const [range] = await manager.query<[{ last: string | null; ended: string[] }]>(
          `WITH range AS (
             SELECT c.id, c.principal_id, c.issue_seq, ${endedFor('$4')}
               -- Its own revocation is deleted with it, and must be as old.
               AND NOT EXISTS (SELECT FROM revocations r WHERE r.subject = c.id
                 AND r.revoked_at > gatehouse_now() - make_interval(days => $4)) AS is_over
             FROM credentials c
             WHERE c.principal_kind = 'user' AND (c.principal_id, c.issue_seq) > ($1, $2::bigint)
             ORDER BY c.principal_id, c.issue_seq LIMIT $3)
           SELECT (SELECT principal_id || ' ' || issue_seq FROM range
               ORDER BY principal_id DESC, issue_seq DESC LIMIT 1) AS last,
             ARRAY (SELECT id FROM range WHERE is_over ORDER BY id) AS ended`,
          [account, seq, limit, PERSONAL_TOKEN_KEPT_DAYS],
        );
        await manager.query(`DELETE FROM credentials WHERE id = ANY ($1)`, [range.ended]);
        // After the tokens: the revocation of a credential that exists cannot be deleted.
        await manager.query(`DELETE FROM revocations WHERE subject = ANY ($1)`, [range.ended]);
        return { last: range.last, deleted: range.ended.length };
      }),
    signal,
  );
}

/**
 * Deletes the last use of keys that ended a year ago. Looks at the last use of every key: to be called every hour.
 *
 * @param signal stops after the current range
 */
export function deleteOldUses(manager: EntityManager, signal?: AbortSignal): Promise<number> {
  return inRanges(async (from, limit) => {
    const [range] = await manager.query<[Range]>(
      `WITH range AS (
         SELECT credential_id, used_at FROM credential_uses
         WHERE credential_id > $1 ORDER BY credential_id LIMIT $2),
       deleted AS (
         DELETE FROM credential_uses WHERE credential_id IN (
           SELECT u.credential_id FROM range u JOIN credentials c ON c.id = u.credential_id
           WHERE u.used_at <= gatehouse_now() - make_interval(days => $3) AND ${endedFor('$3')})
         RETURNING 1)
       SELECT max(credential_id) AS last, (SELECT count(*)::int FROM deleted) AS deleted FROM range`,
      [from ?? '', limit, LAST_USE_KEPT_DAYS],
    );
    return range;
  }, signal);
}

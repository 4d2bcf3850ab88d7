import type { EntityManager } from 'typeorm';

import { inRanges, type Range } from '../../db/batches.js';
import { IS_VALID } from '../verification/verdict-sql.js';

/** Days before the expiry of a key at which `key.expiring` is written. */
const EXPIRING_DAYS = [1, 7, 30];
/** Days without a use after which `key.unused` is written. */
const UNUSED_DAYS = 90;
/** After more days without a use nothing is written, for example at the first sweep after an upgrade. */
const UNUSED_NO_LONGER_DAYS = 120;
/** Replicas sweep once an hour together. */
const SWEEP_EVERY_MINUTES = 55;

/** The last threshold that a key has passed. A key that never lived so long before its expiry has none. */
const EXPIRING = `
  SELECT 'key.expiring' AS action, 'expiring ' || d.days AS notice, c.expires_at AS since,
    jsonb_build_object('name', c.name, 'days', d.days, 'expiresAt',
      to_char(c.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) AS details
  FROM (SELECT min(t.days) AS days FROM unnest($3::int[]) AS t (days)
    WHERE c.expires_at <= gatehouse_now() + make_interval(days => t.days)) AS d
  WHERE c.created_at < c.expires_at - make_interval(days => d.days)`;

const UNUSED = `
  SELECT 'key.unused', 'unused', used.at, jsonb_build_object('name', c.name, 'days', $4::int, 'lastUsedAt',
    to_char(u.used_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
  FROM (SELECT greatest(u.used_at, c.created_at) AS at) AS used
  WHERE used.at <= gatehouse_now() - make_interval(days => $4::int)
    AND used.at > gatehouse_now() - make_interval(days => $5::int)`;

const SWEEP = `
  WITH range AS (
    SELECT * FROM credentials c WHERE c.id > $1 ORDER BY c.id LIMIT $2),
  due AS (
    SELECT c.id, c.tenant_id, n.action, n.notice, n.since, n.details
    FROM range c LEFT JOIN credential_uses u ON u.credential_id = c.id
    CROSS JOIN LATERAL (${EXPIRING} UNION ALL ${UNUSED}) AS n
    WHERE ${IS_VALID}),
  noted AS (
    INSERT INTO key_notices (credential_id, notice, since)
    SELECT id, notice, since FROM due ON CONFLICT DO NOTHING
    RETURNING credential_id, notice, since),
  written AS (
    INSERT INTO audit_log (tenant_id, action, subject, details, actor)
    SELECT d.tenant_id, d.action, d.id, d.details, 'system'
    FROM noted n JOIN due d ON d.id = n.credential_id AND d.notice = n.notice AND d.since = n.since
    RETURNING 1)
  SELECT max(id) AS last, (SELECT count(*)::int FROM written) AS deleted FROM range`;

/**
 * Writes an audit entry about each key and personal token that expires in 30, 7 and 1 days, and about each that was not
 * used for 90 days. Reads every key, so call it once an hour. One replica does it.
 */
export async function noteKeyDeadlines(
  manager: EntityManager,
  signal?: AbortSignal,
): Promise<void> {
  const [, isTurn] = await manager.query<[unknown, number]>(
    `UPDATE key_sweep SET swept_at = gatehouse_now()
     WHERE swept_at <= gatehouse_now() - make_interval(mins => $1)`,
    [SWEEP_EVERY_MINUTES],
  );
  if (isTurn === 0) return;
  await inRanges(async (from, limit) => {
    const values = [from ?? '', limit, EXPIRING_DAYS, UNUSED_DAYS, UNUSED_NO_LONGER_DAYS];
    const [range] = await manager.query<[Range]>(SWEEP, values);
    return range;
  }, signal);
}

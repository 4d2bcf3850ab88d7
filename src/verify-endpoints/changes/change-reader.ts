import type { EntityManager } from 'typeorm';

import { inBatches } from '../../db/batches.js';
import { prepared } from '../../db/prepared.js';

/** A subject that was revoked, altered or suspended, or whose role changed. */
export interface Change {
  readonly subject: string;
  /** `null` for a subject of no single tenant. Empty if the tenant is unknown. */
  readonly tenantId: string | null;
  /** The id of the transaction. A verdict whose position is not above it may not include the change. */
  readonly position: string;
}

/** The changes that were committed since the last reading. */
export interface ChangeReading {
  /** To be passed to the next reading. */
  readonly snapshot: string;
  /** `undefined` if there were more than a reading holds. */
  readonly changes: readonly Change[] | undefined;
}

/** Changes of one reading. With more, readers start again. */
const MAX_CHANGES = 20_000;

/**
 * One statement, so that both values are of one snapshot. A row is new if its transaction was not visible in the last
 * snapshot. Commit order is not the order of numbers, so no number can stand for "everything up to here".
 */
const READ = {
  name: 'verdict-changes-read',
  text: `
    SELECT pg_current_snapshot()::text AS snapshot,
      (SELECT coalesce(json_agg(json_build_object(
         'subject', c.subject, 'tenantId', c.tenant_id, 'position', c.xid::text)), '[]')
       FROM (SELECT * FROM verdict_changes
         WHERE xid >= pg_snapshot_xmin($1::pg_snapshot) AND NOT pg_visible_in_snapshot(xid, $1::pg_snapshot)
         ORDER BY xid LIMIT ${MAX_CHANGES + 1}) AS c) AS changes`,
};

interface Row {
  readonly snapshot: string;
  readonly changes: readonly Change[];
}

export type ReadChanges = (since: string | undefined) => Promise<ChangeReading>;

/** Makes the function that reads what was committed since a snapshot; nothing without one. */
export function createChangeReader(manager: EntityManager): ReadChanges {
  const run = prepared(manager);
  return async (since) => {
    const [row] = await run<Row>(READ, [since ?? null]);
    if (row === undefined) throw new Error('the changes could not be read');
    const isWhole = row.changes.length <= MAX_CHANGES;
    return { snapshot: row.snapshot, changes: isWhole ? row.changes : undefined };
  };
}

/** Readers that have not read for this long start again. Shorter than changes are kept. */
export const READ_WITHIN_SECONDS = 300;
const KEPT_MINUTES = 10;

/**
 * Deletes changes that were visible ten minutes ago. Their age does not count: a transaction may have been open longer.
 *
 * @returns how many rows were deleted
 */
export async function deleteOldChanges(
  manager: EntityManager,
  signal?: AbortSignal,
): Promise<number> {
  await manager.query(
    `INSERT INTO change_snapshots (minute, snapshot)
     VALUES (date_trunc('minute', gatehouse_now()), pg_current_snapshot()) ON CONFLICT DO NOTHING`,
  );
  const [row] = await manager.query<{ snapshot: string; minute: Date }[]>(
    `SELECT snapshot::text AS snapshot, minute FROM change_snapshots
     WHERE minute < gatehouse_now() - make_interval(mins => $1) ORDER BY minute DESC LIMIT 1`,
    [KEPT_MINUTES],
  );
  if (row === undefined) return 0;
  await manager.query('DELETE FROM change_snapshots WHERE minute < $1', [row.minute]);
  return inBatches(async (limit) => {
    const [{ count }] = await manager.query<[{ count: number }]>(
      `WITH deleted AS (
         DELETE FROM verdict_changes WHERE ctid = ANY (ARRAY(
           SELECT ctid FROM verdict_changes
           WHERE xid < pg_snapshot_xmax($1::pg_snapshot) AND pg_visible_in_snapshot(xid, $1::pg_snapshot)
           LIMIT $2 FOR UPDATE SKIP LOCKED))
         RETURNING 1)
       SELECT count(*)::int AS count FROM deleted`,
      [row.snapshot, limit],
    );
    return count;
  }, signal);
}

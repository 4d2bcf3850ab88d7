import type { EntityManager } from 'typeorm';

import { inBatches } from '../db/batches.js';

/** Ended sessions are kept while a concurrent request may try to store one. */
const RETENTION_HOURS = 1;

/** Deletes sessions that are over, a bounded number at a time. */
export function deleteExpiredSessions(
  manager: EntityManager,
  signal?: AbortSignal,
): Promise<number> {
  return inBatches(async (limit) => {
    const [, rows] = await manager.query<[unknown, number]>(
      `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions
           WHERE expires_at <= gatehouse_now() - make_interval(hours => $1)
           ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)`,
      [RETENTION_HOURS, limit],
    );
    return rows;
  }, signal);
}

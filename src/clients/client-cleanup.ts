import type { EntityManager } from 'typeorm';

import { inBatches } from '../db/batches.js';

/**
 * Deletes clients that were registered and never used, with their registration tokens, a bounded
 * number at a time. A public client comes back under the same id by registering again.
 */
export function deleteUnusedClients(manager: EntityManager, signal?: AbortSignal): Promise<number> {
  return inBatches(async (limit) => {
    const [row] = await manager.query<[{ count: number }]>(
      `WITH deleted AS (DELETE FROM clients WHERE id IN (SELECT id FROM clients
         WHERE unused_since <= gatehouse_now() - interval '30 days'
           AND NOT is_verified AND blocked_at IS NULL
         ORDER BY unused_since LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING 1)
       SELECT count(*)::int AS count FROM deleted`,
      [limit],
    );
    return row.count;
  }, signal);
}

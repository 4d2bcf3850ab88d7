import type { EntityManager } from 'typeorm';

import { inBatches } from '../db/batches.js';

/** Deletes grants without a valid credential, a bounded number at a time. */
export function deleteEndedGrants(manager: EntityManager, signal?: AbortSignal): Promise<number> {
  return inBatches(
    (limit) =>
      count(
        manager,
        `DELETE FROM grants WHERE id IN (SELECT id FROM grants
           WHERE keep_until <= gatehouse_now() ORDER BY keep_until LIMIT $1 FOR UPDATE SKIP LOCKED)`,
        limit,
      ),
    signal,
  );
}

/**
 * Erases the answers that were kept for a grace window once it is over: they hold secrets. Where the successor was
 * used before, consuming it has erased its answer already.
 */
export function eraseExpiredAnswers(manager: EntityManager, signal?: AbortSignal): Promise<number> {
  return inBatches(
    (limit) =>
      count(
        manager,
        `UPDATE refresh_tokens SET answer = NULL, answer_key_id = NULL
         WHERE (digest, expires_at) IN (SELECT digest, expires_at FROM refresh_tokens
           WHERE answer IS NOT NULL AND answer_until <= gatehouse_now()
           ORDER BY answer_until LIMIT $1 FOR UPDATE SKIP LOCKED)`,
        limit,
      ),
    signal,
  );
}

async function count(manager: EntityManager, statement: string, limit: number): Promise<number> {
  const [row] = await manager.query<[{ count: number }]>(
    `WITH changed AS (${statement} RETURNING 1) SELECT count(*)::int AS count FROM changed`,
    [limit],
  );
  return row.count;
}

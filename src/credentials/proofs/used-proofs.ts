import { hash } from 'node:crypto';

import type { EntityManager } from 'typeorm';

import { inBatches } from '../../db/batches.js';
import { prepared } from '../../db/prepared.js';

/** The ids of signed texts that work once: DPoP proofs and client assertions. */
export interface UsedProofs {
  /**
   * Marks one as used, on all replicas. The write is an exception to the rule that verification writes nothing.
   *
   * @param signer the key or client whose ids are unique
   * @param id the `jti`
   * @param seconds for how long it could be accepted again
   * @returns whether it was not used before
   */
  claim(signer: string, id: string, seconds: number): Promise<boolean>;
}

const CLAIM = {
  name: 'proof-claim',
  text: `INSERT INTO used_proofs (digest, expires_at)
    VALUES ($1, gatehouse_now() + make_interval(secs => $2)) ON CONFLICT DO NOTHING
    RETURNING true AS is_new`,
};

/** The digest is not keyed: an id is not a secret, and replicas must agree on it while secret keys are rotated. */
export function createUsedProofs(manager: EntityManager): UsedProofs {
  const run = prepared(manager);
  return {
    async claim(signer, id, seconds) {
      const digest = hash('sha256', JSON.stringify([signer, id]));
      const rows = await run<{ is_new: boolean }>(CLAIM, [digest, seconds]);
      return rows.length === 1;
    },
  };
}

/** @returns how many rows were deleted */
export function deleteExpiredProofs(manager: EntityManager, signal?: AbortSignal): Promise<number> {
  return inBatches(async (limit) => {
    const [{ count }] = await manager.query<[{ count: number }]>(
      `WITH deleted AS (
         DELETE FROM used_proofs WHERE digest IN (
           SELECT digest FROM used_proofs WHERE expires_at <= gatehouse_now()
           ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
         RETURNING 1)
       SELECT count(*)::int AS count FROM deleted`,
      [limit],
    );
    return count;
  }, signal);
}

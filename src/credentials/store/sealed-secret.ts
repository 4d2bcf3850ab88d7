import type { EntityManager } from 'typeorm';

import { inBatches } from '../../db/batches.js';
import type { Keyring } from '../secrets/keyring.js';

/** The additional data of a sealed secret (AES-GCM). It binds the ciphertext to the row of its credential. */
export function sealingContextOf(credentialId: string): string {
  return `credential ${credentialId}`;
}

/**
 * Encrypts sealed secrets again under the current secret key, a bounded number at a time. An old secret key can
 * be retired afterwards.
 */
export function resealUnderCurrentKey(
  manager: EntityManager,
  keyring: Keyring,
  signal?: AbortSignal,
): Promise<number> {
  return inBatches(async (limit) => {
    const rows = await manager.query<{ id: string; ciphertext: Buffer; keyId: string }[]>(
      `SELECT id, ciphertext, ciphertext_key_id AS "keyId" FROM credentials
       WHERE ciphertext_key_id = ANY ($1) LIMIT $2`,
      [keyring.ids.slice(1), limit],
    );
    const sealed = rows.map(({ id, ciphertext, keyId }) => {
      const context = sealingContextOf(id);
      return keyring.seal(keyring.open({ ciphertext, keyId }, context), context).ciphertext;
    });
    await manager.query(
      `UPDATE credentials c SET ciphertext = fresh.ciphertext, ciphertext_key_id = $3
       FROM unnest($1::text[], $2::bytea[]) AS fresh (id, ciphertext) WHERE c.id = fresh.id`,
      [rows.map(({ id }) => id), sealed, keyring.currentId],
    );
    return rows.length;
  }, signal);
}

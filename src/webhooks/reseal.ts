import type { EntityManager } from 'typeorm';

import type { Keyring } from '../credentials/index.js';
import { inBatches } from '../db/batches.js';
import { openSecrets, sealSecrets } from './signing.js';

/** Encrypts signing secrets again under the current secret key. An old secret key can be retired afterwards. */
export function resealWebhooks(
  manager: EntityManager,
  keyring: Keyring,
  signal?: AbortSignal,
): Promise<number> {
  return inBatches(
    (limit) =>
      manager.transaction(async (transaction) => {
        const rows = await transaction.query<{ id: string; ciphertext: Buffer; keyId: string }[]>(
          `SELECT id, ciphertext, ciphertext_key_id AS "keyId" FROM webhooks
           WHERE ciphertext_key_id = ANY ($1) LIMIT $2 FOR UPDATE SKIP LOCKED`,
          [keyring.ids.slice(1), limit],
        );
        const sealed = rows.map(
          ({ id, ...row }) => sealSecrets(keyring, id, openSecrets(keyring, id, row)).ciphertext,
        );
        await transaction.query(
          `UPDATE webhooks w SET ciphertext = fresh.ciphertext, ciphertext_key_id = $3
           FROM unnest($1::text[], $2::bytea[]) AS fresh (id, ciphertext) WHERE w.id = fresh.id`,
          [rows.map(({ id }) => id), sealed, keyring.currentId],
        );
        return rows.length;
      }),
    signal,
  );
}

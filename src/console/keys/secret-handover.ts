import type { EntityManager } from 'typeorm';

import { inBatches } from '../../db/batches.js';
import type { Keyring } from '../../credentials/index.js';

/** The form's handle for the secret that it makes. It is drawn with the form, so a repeated submission is recognized. */
interface Handle {
  readonly handle: string;
  /** Only this session is shown the secret. */
  readonly sessionId: string;
}

/** A secret on its way from the form that made it to the page that shows it. */
export interface SecretHandovers {
  /**
   * Claims a handle, in the transaction that makes the secret.
   * @returns false if the same form was submitted before; nothing must be made then
   */
  claim(manager: EntityManager, handle: Handle, tenantId: string): Promise<boolean>;
  /** Keeps the secret under a claimed handle, encrypted. */
  keep(manager: EntityManager, handle: Handle, credentialId: string, secret: string): Promise<void>;
  /** Takes the secret out, which works once. @returns `undefined` if it was shown, or its time is over */
  take(manager: EntityManager, handle: Handle, credentialId: string): Promise<string | undefined>;
  /** The id of the credential that a handle was used for. */
  credentialOf(
    manager: EntityManager,
    handle: Handle,
    tenantId: string,
  ): Promise<string | undefined>;
}

/**
 * Makes a secret and keeps it for the page that shows it, unless the same form has made one before.
 *
 * @param manager of a transaction
 * @returns the id of the credential; empty if the first submission has not come so far
 */
export async function makeOnce(
  handovers: SecretHandovers,
  manager: EntityManager,
  { handle, sessionId, tenantId }: Handle & { readonly tenantId: string },
  make: () => Promise<{ readonly id: string; readonly secret: string }>,
): Promise<string> {
  const key = { handle, sessionId };
  if (!(await handovers.claim(manager, key, tenantId))) {
    return (await handovers.credentialOf(manager, key, tenantId)) ?? '';
  }
  const { id, secret } = await make();
  await handovers.keep(manager, key, id, secret);
  return id;
}

const MINUTES_KEPT = 10;

const contextOf = (credentialId: string) => `secret handover ${credentialId}`;

/** The state is in the database, so that each replica shows a secret that another one made. */
export function createSecretHandovers(
  keyring: Pick<Keyring, 'digest' | 'digests' | 'seal' | 'open'>,
): SecretHandovers {
  const bound = ({ handle, sessionId }: Handle) => `secret handover ${sessionId} ${handle}`;
  return {
    async claim(manager, handle, tenantId) {
      // With the digest under an older key a form that was opened before the key was rotated could be submitted twice.
      const digests = keyring.digests(bound(handle));
      const [known] = await manager.query<{ digest: string }[]>(
        'SELECT digest FROM secret_handovers WHERE digest = ANY ($1::text[])',
        [digests],
      );
      if (known !== undefined) return false;
      const claimed = await manager.query<unknown[]>(
        `INSERT INTO secret_handovers (digest, session_id, tenant_id, credential_id, expires_at)
         VALUES ($1, $2, $3, '', gatehouse_now() + make_interval(mins => $4))
         ON CONFLICT DO NOTHING RETURNING digest`,
        [keyring.digest(bound(handle)).digest, handle.sessionId, tenantId, MINUTES_KEPT],
      );
      return claimed.length > 0;
    },
    async keep(manager, handle, credentialId, secret) {
      const { ciphertext, keyId } = keyring.seal(Buffer.from(secret), contextOf(credentialId));
      await manager.query(
        `UPDATE secret_handovers SET credential_id = $2, ciphertext = $3, ciphertext_key_id = $4
         WHERE digest = $1`,
        [keyring.digest(bound(handle)).digest, credentialId, ciphertext, keyId],
      );
    },
    async take(manager, handle, credentialId) {
      const [rows] = await manager.query<[{ ciphertext: Buffer; keyId: string }[], number]>(
        `UPDATE secret_handovers h SET ciphertext = NULL, ciphertext_key_id = NULL
         FROM (SELECT digest, ciphertext, ciphertext_key_id FROM secret_handovers
               WHERE digest = ANY ($1::text[]) AND session_id = $2 AND credential_id = $3
                 AND ciphertext IS NOT NULL AND expires_at > gatehouse_now()
               FOR UPDATE) AS kept
         WHERE h.digest = kept.digest
         RETURNING kept.ciphertext, kept.ciphertext_key_id AS "keyId"`,
        [keyring.digests(bound(handle)), handle.sessionId, credentialId],
      );
      const [row] = rows;
      return row && keyring.open(row, contextOf(credentialId)).toString();
    },
    async credentialOf(manager, handle, tenantId) {
      const [row] = await manager.query<{ id: string }[]>(
        `SELECT credential_id AS id FROM secret_handovers
         WHERE digest = ANY ($1::text[]) AND tenant_id = $2 AND credential_id <> ''`,
        [keyring.digests(bound(handle)), tenantId],
      );
      return row?.id;
    },
  };
}

/** Deletes handovers whose time is over, shown or not. */
export function deleteExpiredHandovers(
  manager: EntityManager,
  signal?: AbortSignal,
): Promise<number> {
  return inBatches(async (limit) => {
    const [, rows] = await manager.query<[unknown, number]>(
      `DELETE FROM secret_handovers WHERE digest IN (SELECT digest FROM secret_handovers
         WHERE expires_at <= gatehouse_now() LIMIT $1 FOR UPDATE SKIP LOCKED)`,
      [limit],
    );
    return rows;
  }, signal);
}

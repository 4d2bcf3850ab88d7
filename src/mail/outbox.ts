import type { EntityManager } from 'typeorm';

import type { Keyring } from '../credentials/index.js';
import { createId } from '../db/id.js';
import { inBatches } from '../db/batches.js';
import type { OutgoingMail } from './messages.js';

/** A mail that this process is to send now. */
export interface ClaimedMail {
  readonly id: string;
  readonly kind: string;
  /** `undefined` if the secret key that sealed it is not configured any more. */
  readonly mail: OutgoingMail | undefined;
  /** Whether it is too late to send it. */
  readonly isOver: boolean;
}

/**
 * Mail that waits to be sent. A mail holds a link's secret, so all of it is sealed, and deleted once it is sent.
 */
export interface Outbox {
  add(mail: OutgoingMail): Promise<void>;
  /**
   * Takes the mail that is due first. Nobody else gets it until its next try, which is two minutes later, then four, up
   * to an hour.
   */
  claim(): Promise<ClaimedMail | undefined>;
  remove(id: string): Promise<void>;
}

const FIRST_RETRY_SECONDS = 120;
const MAX_RETRY_SECONDS = 3600;

const contextOf = (id: string) => `mail ${id}`;

/** @param manager may belong to a transaction, with which the mail is committed */
export function createOutbox(manager: EntityManager, keyring: Keyring): Outbox {
  const open = (id: string, ciphertext: Buffer, keyId: string) => {
    if (!keyring.ids.includes(keyId)) return undefined;
    return JSON.parse(
      keyring.open({ ciphertext, keyId }, contextOf(id)).toString(),
    ) as OutgoingMail;
  };
  return {
    async add(mail) {
      const id = createId('eml');
      const { ciphertext, keyId } = keyring.seal(Buffer.from(JSON.stringify(mail)), contextOf(id));
      await manager.query(
        `INSERT INTO outgoing_mail (id, kind, ciphertext, ciphertext_key_id, expires_at)
         VALUES ($1, $2, $3, $4, gatehouse_now() + make_interval(secs => $5))`,
        [id, mail.kind, ciphertext, keyId, mail.lifetimeSeconds],
      );
    },
    async claim() {
      const [row] = await manager.query<
        { id: string; kind: string; ciphertext: Buffer; keyId: string; isOver: boolean }[]
      >(
        `WITH due AS (
           SELECT id FROM outgoing_mail WHERE due_at <= gatehouse_now()
           ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED),
         claimed AS (
           UPDATE outgoing_mail m SET tries = m.tries + 1, due_at = gatehouse_now()
             + make_interval(secs => least($2::float8, $1 * power(2, least(m.tries, 20))))
           FROM due WHERE m.id = due.id RETURNING m.*)
         SELECT id, kind, ciphertext, ciphertext_key_id AS "keyId",
           expires_at <= gatehouse_now() AS "isOver" FROM claimed`,
        [FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS],
      );
      if (row === undefined) return undefined;
      const { id, kind, isOver } = row;
      return { id, kind, isOver, mail: open(id, row.ciphertext, row.keyId) };
    },
    async remove(id) {
      await manager.query('DELETE FROM outgoing_mail WHERE id = $1', [id]);
    },
  };
}

/** Deletes mail whose time is over, a bounded number at a time. @returns the number of rows */
export function deleteExpiredMail(manager: EntityManager, signal?: AbortSignal): Promise<number> {
  return inBatches(async (limit) => {
    const [, rows] = await manager.query<[unknown, number]>(
      `DELETE FROM outgoing_mail WHERE id IN (SELECT id FROM outgoing_mail
         WHERE expires_at <= gatehouse_now() LIMIT $1 FOR UPDATE SKIP LOCKED)`,
      [limit],
    );
    return rows;
  }, signal);
}

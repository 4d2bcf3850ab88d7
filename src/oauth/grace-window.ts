import { hash } from 'node:crypto';

import type { Keyring } from '../credentials/keyring.js';
import type { RunPrepared } from '../db/prepared.js';
import { expiresAroundNow } from '../db/partitions.js';
import type { RefreshMeaning } from './refresh-request.js';
import type { RefreshRow } from './refresh-rows.js';
import type { Redemption } from './token-store.js';

/**
 * For `REFRESH_GRACE_SECONDS` after a refresh the same request is given the same answer again, as long as the
 * successor is unconsumed: to clients that race with themselves, and to those that lost the answer (decision 14).
 */
export interface GraceWindow {
  /** @returns what is stored beside the successor */
  seal(row: RefreshRow, meaning: RefreshMeaning, answer: string): Redemption['answer'];
  /** @returns the answer (JSON); `undefined` if this is not a request that may have it */
  repeat(row: RefreshRow, meaning: RefreshMeaning): Promise<string | undefined>;
}

const MAX_REPEATS = 10;

/**
 * Counted and read in one statement, on the row that consuming the successor changes. Waits for the winner where its
 * commit is under way.
 */
const REPEAT = {
  name: 'grace-window-repeat',
  text: `
    UPDATE refresh_tokens next SET repeats = next.repeats + 1
    FROM refresh_tokens used
    WHERE used.digest = $1 AND used.expires_at = $2::timestamptz AND next.digest = used.successor_digest
      AND ${expiresAroundNow('refresh_tokens', 'next')}
      AND next.consumed_at IS NULL AND next.answer IS NOT NULL AND next.answer_until > gatehouse_now()
      AND next.request_hash = $3 AND next.repeats < ${MAX_REPEATS}
    RETURNING next.answer, next.digest_key_id AS key_id`,
};

/** @param seconds `REFRESH_GRACE_SECONDS`, more than 0 */
export function createGraceWindow(
  run: RunPrepared,
  keyring: Keyring,
  seconds: number,
): GraceWindow {
  return {
    seal: ({ digest }, meaning, answer) => ({
      sealed: keyring.seal(Buffer.from(answer), contextOf(digest)),
      requestHash: hashOf(meaning),
      seconds,
    }),
    async repeat({ digest, expires_at: expiresAt }, meaning) {
      const values = [digest, expiresAt, hashOf(meaning)];
      const [row] = await run<{ answer: Buffer; key_id: string }>(REPEAT, values);
      if (row === undefined) return undefined;
      const sealed = { ciphertext: row.answer, keyId: row.key_id };
      return keyring.open(sealed, contextOf(digest)).toString();
    },
  };
}

/** An answer opens only for the token that it was the answer to. */
function contextOf(digest: string): string {
  return `refresh answer ${digest}`;
}

/** Everything in a request that shapes its answer, to tell a repetition from another request. */
function hashOf({ wanted, audience }: RefreshMeaning): string {
  const scopes = [...new Set(wanted)].toSorted();
  return hash('sha256', JSON.stringify([scopes, audience]));
}

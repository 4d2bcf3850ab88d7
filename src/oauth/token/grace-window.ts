import { hash } from 'node:crypto';

import type { Keyring } from '../../credentials/index.js';
import type { RunPrepared } from '../../db/prepared.js';
import { expiresAroundNow } from '../../db/partitions.js';
import type { RefreshRow } from '../../grants/index.js';
import type { RefreshMeaning } from './refresh-request.js';
import type { Redemption } from './issue-tokens.js';

/**
 * Repeats the response of a refresh to the same request for `REFRESH_GRACE_SECONDS`, while the successor is unconsumed.
 * Serves clients that refresh concurrently, and clients that lost the response (decision 14).
 */
export interface GraceWindow {
  /** @returns the encrypted response, to be stored with the successor */
  seal(row: RefreshRow, meaning: RefreshMeaning, answer: string): Redemption['answer'];
  /** @returns the response (JSON); `undefined` if the request may not have it */
  repeat(row: RefreshRow, meaning: RefreshMeaning): Promise<string | undefined>;
}

const MAX_REPEATS = 10;

/**
 * Counts and reads in one statement, on the row that consuming the successor locks. Waits for a winner that is about to
 * commit.
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

/** Binds the ciphertext to the consumed token. */
function contextOf(digest: string): string {
  return `refresh answer ${digest}`;
}

/** Identifies a repeated request: a hash of everything in it that determines the response. */
function hashOf({ wanted, audience, proofKey }: RefreshMeaning): string {
  const scopes = [...new Set(wanted)].toSorted();
  return hash(
    'sha256',
    JSON.stringify([scopes, audience, ...(proofKey === undefined ? [] : [proofKey])]),
  );
}

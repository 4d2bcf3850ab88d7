import { createHash } from 'node:crypto';

import type { Keyring } from '../credentials/keyring.js';
import type { Redemption } from './exchange-store.js';
import type { RefreshRequest } from './refresh-request.js';
import type { RefreshRow } from './refresh-rows.js';

/** Within the grace window, whoever repeats a refresh is given the answer of the first one again. */
export interface RememberedAnswers {
  /** @returns what is to be stored; `undefined` if there is no grace window */
  seal(row: RefreshRow, request: RefreshRequest, answer: string): Redemption['answer'];
  /** @returns `undefined` if there is none, or it was the answer to another request */
  open(row: RefreshRow, request: RefreshRequest): string | undefined;
}

/** @param graceSeconds `REFRESH_GRACE_SECONDS`; 0 for none */
export function createRememberedAnswers(keyring: Keyring, graceSeconds: number): RememberedAnswers {
  return {
    seal({ digest }, request, answer) {
      if (graceSeconds === 0) return undefined;
      const sealed = keyring.seal(Buffer.from(answer), contextOf(digest));
      return { sealed, requestHash: hashOf(request), seconds: graceSeconds };
    },
    open({ digest, answer, answer_key_id: keyId, request_hash: requestHash }, request) {
      if (answer === null || keyId === null || requestHash !== hashOf(request)) return undefined;
      const sealed = { ciphertext: Buffer.from(answer, 'base64'), keyId };
      return keyring.open(sealed, contextOf(digest)).toString();
    },
  };
}

/** An answer opens only beside the token that it was the answer to. */
function contextOf(digest: string): string {
  return `refresh answer ${digest}`;
}

/** Of everything in a request that shapes its answer, to tell a repetition from another request. */
function hashOf({ scope, resources }: RefreshRequest): string {
  const resource = resources.length > 1 ? resources : (resources[0] ?? null);
  return createHash('sha256')
    .update(JSON.stringify([scope ?? null, resource]))
    .digest('hex');
}

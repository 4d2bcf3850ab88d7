import { compactVerify, createLocalJWKSet } from 'jose';

import { SIGNING_ALGORITHMS } from '../credentials/signing-algorithms.js';
import type { SigningKeys, SigningKeySnapshot } from '../signing-keys/signing-keys.js';

/** What an id_token proves of the client that presents it. */
export interface IdTokenHint {
  /** The client that it was issued to. */
  readonly clientId: string;
  /** The account that had signed in. */
  readonly accountId: string;
}

/**
 * Reads an `id_token_hint` (RP-Initiated Logout 1.0 §2).
 * @returns `undefined` unless it is an id_token of ours; one that has expired is as good as any
 */
export type ReadIdTokenHint = (token: string) => Promise<IdTokenHint | undefined>;

export function createIdTokenHints(issuer: string, signingKeys: SigningKeys): ReadIdTokenHint {
  const currentKeys = createKeySets(signingKeys);
  return async (token) => {
    try {
      const algorithms = [...SIGNING_ALGORITHMS];
      const { payload } = await compactVerify(token, currentKeys(), { algorithms });
      const claims = JSON.parse(new TextDecoder().decode(payload)) as Record<string, unknown>;
      const { iss, aud: clientId, sub: accountId } = claims;
      const isOurs = iss === issuer && typeof clientId === 'string';
      return isOurs && typeof accountId === 'string' ? { clientId, accountId } : undefined;
    } catch {
      // Altered, under a key that is no longer published, or not a token at all.
      return undefined;
    }
  };
}

/** The published keys, imported once for each snapshot. */
function createKeySets(signingKeys: SigningKeys) {
  let made: { of: SigningKeySnapshot; keys: ReturnType<typeof createLocalJWKSet> } | undefined;
  return () => {
    const of = signingKeys.current();
    if (made?.of !== of) made = { of, keys: createLocalJWKSet({ keys: [...of.jwks.keys] }) };
    return made.keys;
  };
}

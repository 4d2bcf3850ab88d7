import { compactVerify, createLocalJWKSet } from 'jose';

import { SIGNING_ALGORITHMS } from '../../credentials/secrets/signing-algorithms.js';
import type { SigningKeySnapshot, SigningKeys } from '../../signing-keys/index.js';

/** The client and account of an id_token. */
export interface IdTokenHint {
  /** The client that it was issued to. */
  readonly clientId: string;
  /** The account that had signed in. */
  readonly accountId: string;
}

/**
 * Reads an `id_token_hint` (RP-Initiated Logout 1.0 §2).
 * @returns `undefined` unless this server issued it; expired id_tokens are accepted (§2)
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
      // Altered, malformed, or signed by a key that is no longer published.
      return undefined;
    }
  };
}

/** The published keys, imported once per snapshot. */
function createKeySets(signingKeys: SigningKeys) {
  let made: { of: SigningKeySnapshot; keys: ReturnType<typeof createLocalJWKSet> } | undefined;
  return () => {
    const of = signingKeys.current();
    if (made?.of !== of) made = { of, keys: createLocalJWKSet({ keys: [...of.jwks.keys] }) };
    return made.keys;
  };
}

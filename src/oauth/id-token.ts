import { SignJWT, type JWK } from 'jose';

import type { SigningAlgorithm } from '../credentials/signing-algorithms.js';
import type { Scope } from '../scopes/catalog.js';
import type { SigningKeys } from '../signing-keys/signing-keys.js';
import { claimsOf } from './claims.js';
import { LIFETIMES } from './lifetimes.js';
import type { RefreshRow } from './refresh-rows.js';

/** Which scope shows which claim (OpenID Connect Core §5.4). */
const SHOWN_BY = { email: 'email', email_verified: 'email', name: 'profile' } as const;

/**
 * Makes the id_token that comes with a refresh (OpenID Connect Core §12.2): it says of the
 * authentication what the first one said, without its nonce.
 *
 * @param algorithm the one that the client registered for
 */
export type MintIdToken = (
  row: RefreshRow,
  scopes: readonly Scope[],
  algorithm: SigningAlgorithm,
) => Promise<string>;

export function createIdTokens(issuer: string, signingKeys: SigningKeys): MintIdToken {
  const currentKey = createKeyReader(signingKeys);
  return (row, scopes, algorithm) => {
    const { account_id: id, email, account_name: name, client_id: clientId, payload } = row;
    const account = { id, email, name, isEmailVerified: row.is_email_verified };
    const { sub, ...claims } = claimsOf(account);
    const shown = Object.entries(claims).filter(([claim]) =>
      scopes.includes(SHOWN_BY[claim as keyof typeof claims]),
    );
    const { authTime } = payload;
    const isTimeWanted = payload.claims?.id_token?.['auth_time'] !== undefined;
    const { key, kid } = currentKey(algorithm);
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({
      ...Object.fromEntries(shown),
      ...(isTimeWanted && { auth_time: authTime }),
      sub,
      iss: issuer,
      aud: clientId,
      iat: now,
      exp: now + LIFETIMES.idToken,
    })
      .setProtectedHeader({ alg: algorithm, kid })
      .sign(key);
  };
}

/** Copies of the keys that sign, the same ones as long as they do: the library keeps what it imports with them. */
function createKeyReader(signingKeys: SigningKeys) {
  const made = new Map<SigningAlgorithm, { readonly key: JWK; readonly kid: string }>();
  return (algorithm: SigningAlgorithm) => {
    const { key, kid } = signingKeys.signer(algorithm);
    let reader = made.get(algorithm);
    if (reader?.kid !== kid) {
      reader = { key: { ...key }, kid };
      made.set(algorithm, reader);
    }
    return reader;
  };
}

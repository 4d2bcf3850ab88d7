import { SignJWT, type JWK } from 'jose';

import type { SigningAlgorithm } from '../../credentials/secrets/signing-algorithms.js';
import type { RefreshRow } from '../../grants/index.js';
import type { Scope } from '../../scopes/catalog.js';
import type { SigningKeys } from '../../signing-keys/index.js';
import { claimsOf } from '../library/claims.js';
import { LIFETIMES } from '../lifetimes.js';

/** The scope that each claim needs (OpenID Connect Core §5.4). */
const SHOWN_BY = { email: 'email', email_verified: 'email', name: 'profile' } as const;

/**
 * Signs the id_token of a refresh (OpenID Connect Core §12.2): the first one's `auth_time`, and no nonce.
 *
 * @param algorithm the client's `id_token_signed_response_alg`
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

/** Stable copies of the current signing keys: jose caches the imported key per object. */
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

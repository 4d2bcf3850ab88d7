import { SignJWT, type JWK } from 'jose';

import type { Scope } from '../scopes/catalog.js';
import type { SigningKeys } from '../signing-keys/signing-keys.js';
import { claimsOf } from './claims.js';
import { LIFETIMES } from './lifetimes.js';
import type { RefreshRow } from './refresh-rows.js';

/** Which scope shows which claim (OpenID Connect Core §5.4). */
const SHOWN_BY = { email: 'email', name: 'profile' } as const;

/**
 * Makes the id_token that comes with a refresh (OpenID Connect Core §12.2): it says of the
 * authentication what the first one said.
 */
export type MintIdToken = (row: RefreshRow, scopes: readonly Scope[]) => Promise<string>;

export function createIdTokens(issuer: string, signingKeys: SigningKeys): MintIdToken {
  const currentKey = createKeyReader(signingKeys);
  return ({ account_id: id, email, account_name: name, client_id: clientId, payload }, scopes) => {
    const { sub, ...claims } = claimsOf({ id, email, name });
    const shown = Object.entries(claims).filter(([claim]) =>
      scopes.includes(SHOWN_BY[claim as keyof typeof claims]),
    );
    const { nonce, authTime } = payload;
    const isTimeWanted = payload.claims?.id_token?.['auth_time'] !== undefined;
    const { key, kid } = currentKey();
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({
      ...Object.fromEntries(shown),
      ...(isTimeWanted && { auth_time: authTime }),
      ...(nonce !== undefined && { nonce }),
      ...{ sub, iss: issuer, aud: clientId, iat: now, exp: now + LIFETIMES.idToken },
    })
      .setProtectedHeader({ alg: 'ES256', kid })
      .sign(key);
  };
}

/** A copy of the key that signs, the same one as long as it does: what is made of it is kept with it. */
function createKeyReader(signingKeys: SigningKeys) {
  let made: { readonly id: string; readonly key: JWK; readonly kid: string } | undefined;
  return () => {
    const { id, signing } = signingKeys.current();
    if (made?.id !== id) {
      const [jwk] = signing;
      if (jwk?.kid === undefined) throw new Error('there is no key to sign with');
      made = { id, key: { ...jwk }, kid: jwk.kid };
    }
    return made;
  };
}

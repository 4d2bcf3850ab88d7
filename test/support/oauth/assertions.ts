import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';

/** RFC 7523 §2.2 */
export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** A key of a client. */
export interface Pair {
  readonly sign: CryptoKey;
  readonly jwk: JWK;
  readonly algorithm: string;
}

export async function createPair(algorithm: string, kid: string): Promise<Pair> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  return { sign: privateKey, jwk: { ...(await exportJWK(publicKey)), kid }, algorithm };
}

/** Seconds since the epoch. */
export const now = () => Math.floor(Date.now() / 1000);

let ids = 0;
/** The id of the assertion that was signed last. */
export const lastId = () => `id-${ids}`;

/** @param claims beyond or instead of the right ones */
export function signAssertion(
  clientId: string,
  audience: string,
  by: Pair,
  claims: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  ids += 1;
  const names = { iss: clientId, sub: clientId, aud: audience, jti: lastId() };
  return new SignJWT({ ...names, iat: now(), exp: now() + 60, ...claims })
    .setProtectedHeader({ alg: by.algorithm, kid: by.jwk.kid ?? '' })
    .sign(by.sign);
}

/** The members of a form that carry an assertion. */
export function asserting(jwt: string): Readonly<Record<string, string>> {
  return { client_assertion_type: ASSERTION_TYPE, client_assertion: jwt };
}

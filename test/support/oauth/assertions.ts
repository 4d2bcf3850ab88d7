import { expect } from '@jest/globals';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';

import type { TestApp } from '../app/app.js';
import { register } from '../app/clients.js';
import { post, REDIRECT, type TestClient } from './oauth.js';

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

/** A client that authenticates by a key of its own (RFC 7523), and requests of it. */
export interface KeyClient {
  readonly client: TestClient;
  readonly key: Pair;
  /** Registers another such client, with these members beyond or instead of the usual ones. */
  registerWith(more: object): Promise<TestClient>;
  /** An assertion with claims beyond or instead of the right ones. */
  assertion(claims?: Readonly<Record<string, unknown>>, by?: Pair): Promise<string>;
  /** Introspects nothing: 200 for an authenticated client. */
  ask(fields: Readonly<Record<string, string>>): Promise<Response>;
  /** The status for a client that authenticates by an assertion. */
  statusOf(jwt: string | Promise<string>): Promise<number>;
}

/** The metadata of a client with a key, without the key. */
export const KEY_CLIENT_METADATA = {
  client_name: 'An app with a key',
  redirect_uris: [REDIRECT],
  token_endpoint_auth_method: 'private_key_jwt',
};

export async function registerKeyClient(gatehouse: TestApp): Promise<KeyClient> {
  async function registerWith(more: object): Promise<TestClient> {
    const answer = await register(gatehouse, { ...KEY_CLIENT_METADATA, ...more });
    expect(answer.body).toMatchObject({ token_endpoint_auth_method: 'private_key_jwt' });
    expect(answer.status).toBe(201);
    return answer.body as TestClient;
  }
  const key = await createPair('ES256', 'first');
  const client = await registerWith({ jwks: { keys: [key.jwk] } });
  const ask = (fields: Readonly<Record<string, string>>) =>
    post(gatehouse, 'introspect', { token: 'unknown', ...fields });
  return {
    client,
    key,
    registerWith,
    ask,
    assertion: (claims = {}, by = key) =>
      signAssertion(client.client_id, gatehouse.config.ISSUER, by, claims),
    statusOf: async (jwt) => (await ask(asserting(await jwt))).status,
  };
}

// JWT client authentication: RFC 7523, with RFC 7521 and OpenID Connect Core §9, by their sections.
import { beforeAll, describe, expect, it } from '@jest/globals';

import { runCleanup } from '../../src/server/cleanup.js';
import {
  asserting,
  ASSERTION_TYPE,
  createPair,
  lastId,
  now,
  type Pair,
  registerKeyClient,
  type KeyClient,
} from '../support/oauth/assertions.js';
import { expectOAuthError, getCodeForm } from '../support/oauth/oauth-requests.js';
import {
  createUser,
  post,
  type TestClient,
  type TestUser,
  type TokenResponse,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
let user: TestUser;
let issuer: string;
let keyed: KeyClient;
let key: Pair;
let client: TestClient;
beforeAll(async () => {
  issuer = gatehouse.config.ISSUER;
  user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'company_admin']]);
  keyed = await registerKeyClient(gatehouse);
  ({ key, client } = keyed);
});

describe('an assertion', () => {
  it('authenticates a client at every endpoint (RFC 7521 §4.2)', async () => {
    // The client_id is optional.
    const { client_id: _id, ...form } = await getCodeForm(gatehouse, { client, user });
    const exchange = await post(gatehouse, 'token', {
      ...form,
      ...asserting(await keyed.assertion()),
    });
    expect(exchange.status).toBe(200);
    const tokens = (await exchange.json()) as TokenResponse;

    const introspection = await keyed.ask({
      token: tokens.access_token,
      client_id: client.client_id,
      ...asserting(await keyed.assertion()),
    });
    expect(await introspection.json()).toMatchObject({ active: true, client_id: client.client_id });

    const refreshed = await post(gatehouse, 'token', {
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh_token ?? '',
      ...asserting(await keyed.assertion()),
    });
    expect(refreshed.status).toBe(200);
    const { refresh_token: token = '' } = (await refreshed.json()) as TokenResponse;
    const revocation = await post(gatehouse, 'revoke', {
      token,
      ...asserting(await keyed.assertion()),
    });
    expect(revocation.status).toBe(200);
  });

  it('names the issuer or the token endpoint as audience, and nobody else (RFC 7523 §3)', async () => {
    const endpoint = `${issuer}/api/v1/oauth/token`;
    for (const aud of [issuer, endpoint, [issuer], [issuer, endpoint]]) {
      expect([aud, await keyed.statusOf(keyed.assertion({ aud }))]).toEqual([aud, 200]);
    }
    const others = [
      `${issuer}/`,
      'https://other.example.com',
      [issuer, 'https://evil.example'],
      [],
    ];
    for (const aud of [...others, undefined, 1]) {
      expect([aud, await keyed.statusOf(keyed.assertion({ aud }))]).toEqual([aud, 401]);
    }
  });

  it('names the client as issuer and subject (RFC 7523 §3)', async () => {
    const { client_id: other } = await keyed.registerWith({ jwks: { keys: [key.jwk] } });
    expect(await keyed.statusOf(keyed.assertion({ iss: other }))).toBe(401);
    expect(await keyed.statusOf(keyed.assertion({ sub: other }))).toBe(401);
    expect(await keyed.statusOf(keyed.assertion({ sub: undefined }))).toBe(401);
    expect(await keyed.statusOf(keyed.assertion({ iss: undefined }))).toBe(401);
    // RFC 7521 §4.2: a client_id must identify the same client.
    const mixed = await keyed.ask({ client_id: other, ...asserting(await keyed.assertion()) });
    await expectOAuthError(mixed, 401, 'invalid_client');
  });

  it('ends, within an hour (RFC 7523 §3)', async () => {
    for (const exp of [now() + 1, now() + 3600])
      expect(await keyed.statusOf(keyed.assertion({ exp }))).toBe(200);
    for (const exp of [now() - 1, now() + 3700, now() + 1e9, 1e300, `${now() + 60}`, undefined]) {
      expect([exp, await keyed.statusOf(keyed.assertion({ exp }))]).toEqual([exp, 401]);
    }
    expect(await keyed.statusOf(keyed.assertion({ nbf: now() + 300 }))).toBe(401);
    expect(await keyed.statusOf(keyed.assertion({ iat: now() + 300 }))).toBe(401);
  });

  it('works once, also for many requests at a time (RFC 7523 §3)', async () => {
    const jwt = await keyed.assertion();
    const statuses = await Promise.all(Array.from({ length: 6 }, () => keyed.statusOf(jwt)));
    expect(statuses.toSorted()).toEqual([200, 401, 401, 401, 401, 401]);
    // The same id with another expiry, and ids that are not one.
    const jti = lastId();
    expect(await keyed.statusOf(keyed.assertion({ jti, exp: now() + 120 }))).toBe(401);
    for (const none of [undefined, '', 5])
      expect(await keyed.statusOf(keyed.assertion({ jti: none }))).toBe(401);
  });

  it('is not recorded unless its signature is right', async () => {
    const count = async () => {
      const [row] = await gatehouse.database.query<{ n: number }>(
        'SELECT count(*)::int AS n FROM used_proofs',
      );
      return row?.n;
    };
    const before = await count();
    const jti = 'planted';
    const stranger = await createPair('ES256', 'first');
    expect(await keyed.statusOf(keyed.assertion({ jti }, stranger))).toBe(401);
    expect(await keyed.statusOf(keyed.assertion({ jti, aud: 'https://other.example.com' }))).toBe(
      401,
    );
    expect(await count()).toBe(before);
    expect(await keyed.statusOf(keyed.assertion({ jti }))).toBe(200);
  });

  it('is refused without a signature, with a secret, or malformed (RFC 8725 §3.1)', async () => {
    const [, payload = '', signature = ''] = (await keyed.assertion()).split('.');
    const headed = (header: object) => Buffer.from(JSON.stringify(header)).toString('base64url');
    const forms = [
      `${headed({ alg: 'none' })}.${payload}.`,
      `${headed({ alg: 'none' })}.${payload}.${signature}`,
      `${headed({ alg: 'HS256' })}.${payload}.${signature}`,
      `${headed({ alg: 'ES256', crit: ['x'], x: 1 })}.${payload}.${signature}`,
      `${headed({ alg: 'ES256', jwk: key.jwk, jku: 'https://evil.example' })}.${payload}.AAAA`,
      `.${payload}.${signature}`,
      `garbage.${payload}.${signature}`,
      `${Buffer.from('[]').toString('base64url')}.${payload}.${signature}`,
      'a.b.c',
      '',
      'x'.repeat(9000),
    ];
    for (const form of forms) {
      await expectOAuthError(await keyed.ask(asserting(form)), 401, 'invalid_client');
    }
  });

  it('is the only authentication of its request, of the right type (RFC 7521 §4.2.1)', async () => {
    const jwt = await keyed.assertion();
    const basic = { Authorization: `Basic ${Buffer.from('a:b').toString('base64')}` };
    const refused = [
      await post(gatehouse, 'introspect', { token: 'x', ...asserting(jwt) }, basic),
      await keyed.ask({ ...asserting(jwt), client_secret: 'secret' }),
      await keyed.ask({ client_assertion: jwt }),
      await keyed.ask({ client_assertion: jwt, client_assertion_type: 'urn:example:other' }),
    ];
    for (const answer of refused) await expectOAuthError(answer, 400, 'invalid_request');
    expect(await keyed.statusOf(jwt)).toBe(200);
    expect((await keyed.ask({ client_assertion_type: ASSERTION_TYPE })).status).toBe(401);
  });

  it('is recorded until it expires', async () => {
    expect(await keyed.statusOf(keyed.assertion())).toBe(200);
    const signal = new AbortController().signal;
    const records = () => gatehouse.database.query('SELECT FROM used_proofs');
    await runCleanup(gatehouse.dataSource, signal);
    expect((await records()).length).toBeGreaterThan(0);
    await gatehouse.database.shiftClock('2 h');
    await runCleanup(gatehouse.dataSource, signal);
    await gatehouse.database.shiftClock('0');
    expect(await records()).toHaveLength(0);
  });

  it.each(['RS256', 'PS256', 'ES256', 'EdDSA'])('may be signed with %s', async (algorithm) => {
    const pair = await createPair(algorithm, 'own');
    const { client_id: id } = await keyed.registerWith({ jwks: { keys: [pair.jwk] } });
    expect(await keyed.statusOf(keyed.assertion({ iss: id, sub: id }, pair))).toBe(200);
  });

  it('uses no other algorithm, and the registered one only', async () => {
    const [es384, rs256] = [await createPair('ES384', 'a'), await createPair('RS256', 'b')];
    const { client_id: id } = await keyed.registerWith({
      jwks: { keys: [es384.jwk, rs256.jwk, key.jwk] },
      token_endpoint_auth_signing_alg: 'RS256',
    });
    const own = { iss: id, sub: id };
    expect(await keyed.statusOf(keyed.assertion(own, es384))).toBe(401);
    expect(await keyed.statusOf(keyed.assertion(own, key))).toBe(401);
    expect(await keyed.statusOf(keyed.assertion(own, rs256))).toBe(200);
  });
});

it('the metadata lists the method and its algorithms (RFC 8414 §2)', async () => {
  const { body } = await gatehouse.http.get('/.well-known/oauth-authorization-server');
  const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'];
  expect(body).toMatchObject({
    token_endpoint_auth_methods_supported: expect.arrayContaining(['private_key_jwt']),
    token_endpoint_auth_signing_alg_values_supported: algorithms,
    revocation_endpoint_auth_signing_alg_values_supported: algorithms,
    introspection_endpoint_auth_signing_alg_values_supported: algorithms,
  });
});

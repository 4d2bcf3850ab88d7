// Keys of clients: RFC 7591 §2 and RFC 7523.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { exportJWK, generateKeyPair } from 'jose';

import { useFixture } from '../support/app/use-fixture.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import { managing, register } from '../support/app/clients.js';
import { createWebServer } from '../support/app/web-server.js';
import { publish } from '../support/oauth/client-documents.js';
import {
  asserting,
  createPair,
  type Pair,
  KEY_CLIENT_METADATA,
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

/** Added to the clock of the process, not to the database's. */
let passedMs = 0;
const gatehouse = useGatehouse(
  { TRUST_PROXY: '127.0.0.1', OUTBOUND_ALLOW_LOOPBACK: 'true' },
  () => Date.now() + passedMs,
);
const host = useFixture(() => createWebServer());
let user: TestUser;
let keyed: KeyClient;
let key: Pair;
let client: TestClient;
beforeAll(async () => {
  user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'company_admin']]);
  keyed = await registerKeyClient(gatehouse);
  ({ key, client } = keyed);
});

describe('a client with a key', () => {
  it('is never authenticated by its id or by a secret', async () => {
    const form = await getCodeForm(gatehouse, { client, user });
    for (const more of [{}, { client_secret: '' }, { client_secret: 'bwp_cs_x' }]) {
      await expectOAuthError(
        await post(gatehouse, 'token', { ...form, ...more }),
        401,
        'invalid_client',
      );
      await expectOAuthError(
        await keyed.ask({ client_id: client.client_id, ...more }),
        401,
        'invalid_client',
      );
    }
    const late = await post(gatehouse, 'token', { ...form, ...asserting(await keyed.assertion()) });
    expect(late.status).toBe(200);
  });

  it('registers public keys of its own, in one place (RFC 7591 §2)', async () => {
    const { privateKey } = await generateKeyPair('ES256', { extractable: true });
    const rejected = [
      {},
      { jwks: { keys: [] } },
      { jwks: [key.jwk] },
      { jwks: 'keys' },
      { jwks: { keys: [await exportJWK(privateKey)] } },
      { jwks: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] } },
      { jwks: { keys: [{ kty: 'RSA', n: 'A'.repeat(100), e: 'AQAB' }] } },
      { jwks: { keys: Array(21).fill(key.jwk) } },
      { jwks: { keys: [key.jwk] }, jwks_uri: 'https://app.example.com/jwks' },
      { jwks_uri: 'https://10.0.0.1/jwks' },
      { jwks_uri: 'http://app.example.com/jwks' },
      { jwks: { keys: [key.jwk] }, token_endpoint_auth_signing_alg: 'HS256' },
    ];
    for (const more of rejected) {
      const answer = await register(gatehouse, { ...KEY_CLIENT_METADATA, ...more });
      expect([more, answer.status]).toEqual([more, 400]);
      expect(answer.body).toMatchObject({ error: 'invalid_client_metadata' });
    }
    const dropped = await register(gatehouse, {
      ...KEY_CLIENT_METADATA,
      token_endpoint_auth_method: 'none',
      jwks: { keys: [] },
      jwks_uri: 'nonsense',
    });
    expect(dropped.status).toBe(201);
    expect(dropped.body).not.toHaveProperty('jwks');
    expect(dropped.body).not.toHaveProperty('jwks_uri');
  });

  it('has no secret, and keeps its kind of authentication when it changes', async () => {
    const answer = await register(gatehouse, { ...KEY_CLIENT_METADATA, jwks: { keys: [key.jwk] } });
    expect(answer.body).not.toHaveProperty('client_secret');
    const own = answer.body as TestClient;
    const manager = managing(gatehouse, own.client_id, own.registration_access_token);
    const asSecret = { ...KEY_CLIENT_METADATA, token_endpoint_auth_method: 'client_secret_basic' };
    expect((await manager.put(asSecret)).status).toBe(400);

    const next = await createPair('ES256', 'next');
    expect((await manager.put({ ...KEY_CLIENT_METADATA, jwks: { keys: [next.jwk] } })).status).toBe(
      200,
    );
    const claims = { iss: own.client_id, sub: own.client_id };
    expect(await keyed.statusOf(keyed.assertion(claims, key))).toBe(401);
    expect(await keyed.statusOf(keyed.assertion(claims, next))).toBe(200);
  });

  it('is asked for consent again after its keys changed', async () => {
    const own = await keyed.registerWith({ jwks: { keys: [key.jwk] } });
    await getCodeForm(gatehouse, { client: own, user });
    const consents = () =>
      gatehouse.database.query('SELECT FROM consents WHERE client_id = $1', [own.client_id]);
    expect(await consents()).toHaveLength(1);
    const { jwk } = await createPair('ES256', 'next');
    const manager = managing(gatehouse, own.client_id, own.registration_access_token);
    await manager.put({ ...KEY_CLIENT_METADATA, jwks: { keys: [jwk] } });
    expect(await consents()).toHaveLength(0);
  });

  it('is asked for consent again after keys of its metadata document moved', async () => {
    const document = { ...KEY_CLIENT_METADATA, jwks_uri: `http://127.0.0.1:${host.port}/before` };
    const id = publish(host, '/moved-keys.json', document);
    await getCodeForm(gatehouse, { client: { client_id: id } as TestClient, user });
    const consents = () =>
      gatehouse.database.query('SELECT FROM consents WHERE client_id = $1', [id]);
    expect(await consents()).toHaveLength(1);
    publish(host, '/moved-keys.json', { ...document, jwks_uri: `${document.jwks_uri}/after` });
    await gatehouse.database.shiftClock('11 min');
    const { status } = await post(gatehouse, 'par', { client_id: id });
    await gatehouse.database.shiftClock('0');
    expect([status, await consents()]).toEqual([401, []]);
  });
});

describe('a jwks_uri', () => {
  const at = (path: string) => `http://127.0.0.1:${host.port}${path}`;
  const count = (path: string) => host.requested.filter((requested) => requested === path).length;

  it('is fetched once, and again for a key that is not known, not more often than a minute', async () => {
    const [first, second, stranger] = [
      await createPair('ES256', 'one'),
      await createPair('ES256', 'two'),
      await createPair('ES256', 'three'),
    ];
    const headers = { 'Content-Type': 'application/jwk-set+json', 'Cache-Control': 'max-age=600' };
    host.serve('/keys', { keys: [first.jwk] }, headers);
    const { client_id: id } = await keyed.registerWith({ jwks_uri: at('/keys') });
    const own = { iss: id, sub: id };
    expect(count('/keys')).toBe(0);

    const statuses = await Promise.all(
      [1, 2, 3].map(() => keyed.statusOf(keyed.assertion(own, first))),
    );
    expect(statuses).toEqual([200, 200, 200]);
    expect(count('/keys')).toBe(1);
    for (let n = 0; n < 3; n += 1)
      expect(await keyed.statusOf(keyed.assertion(own, stranger))).toBe(401);
    expect(count('/keys')).toBe(1);

    host.serve('/keys', { keys: [second.jwk] }, headers);
    expect(await keyed.statusOf(keyed.assertion(own, second))).toBe(401);
    expect(await keyed.statusOf(keyed.assertion(own, first))).toBe(200);
  });

  it('that fails authenticates nobody, and is not asked at every request', async () => {
    const pair = await createPair('ES256', 'one');
    const { client_id: id } = await keyed.registerWith({ jwks_uri: at('/missing') });
    for (let n = 0; n < 3; n += 1) {
      expect(await keyed.statusOf(keyed.assertion({ iss: id, sub: id }, pair))).toBe(401);
    }
    expect(count('/missing')).toBe(1);
  });

  it('that is down authenticates by its last keys, for a day, also without them in memory', async () => {
    const pair = await createPair('ES256', 'one');
    const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'max-age=600' };
    const down = await createWebServer();
    down.serve('/keys', { keys: [pair.jwk] }, headers);
    const { client_id: id } = await keyed.registerWith({
      jwks_uri: `http://127.0.0.1:${down.port}/keys`,
    });
    const status = (by = pair) => keyed.statusOf(keyed.assertion({ iss: id, sub: id }, by));
    const kept = () =>
      gatehouse.database.query('SELECT fetched_at::text FROM client_keys WHERE client_id = $1', [
        id,
      ]);
    const stranger = await createPair('ES256', 'one');
    expect(await status(stranger)).toBe(401);
    expect(await kept()).toEqual([]);
    expect(await status()).toBe(200);
    const stored = await kept();
    expect(stored).toHaveLength(1);
    expect(await status()).toBe(200);
    expect(await kept()).toEqual(stored);

    await down.close();
    // The process has forgotten them, as after a restart.
    passedMs = 25 * 3_600_000;
    expect(await status()).toBe(200);
    expect(await status(stranger)).toBe(401);
    await gatehouse.database.query(
      `UPDATE client_keys SET fetched_at = fetched_at - interval '1 day' WHERE client_id = $1`,
      [id],
    );
    expect(await status()).toBe(401);
    passedMs = 0;
  });

  it('authenticates the client of a metadata document, as ChatGPT does', async () => {
    const pair = await createPair('RS256', 'chatgpt');
    host.serve('/oauth/jwks', { keys: [{ ...pair.jwk, use: 'sig', alg: 'RS256' }] });
    const redirect = 'https://chatgpt.com/connector_platform_oauth_redirect';
    const id = publish(host, '/oauth/client.json', {
      client_name: 'ChatGPT',
      redirect_uris: [redirect],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'RS256',
      token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
      jwks_uri: at('/oauth/jwks'),
    });
    const parameters = { redirect_uri: redirect };
    const documented = { client_id: id } as TestClient;
    const form = await getCodeForm(gatehouse, { client: documented, user, parameters });
    expect((await post(gatehouse, 'token', form)).status).toBe(401);
    const own = { iss: id, sub: id };
    const exchange = await post(gatehouse, 'token', {
      ...form,
      ...asserting(await keyed.assertion(own, pair)),
    });
    expect(exchange.status).toBe(200);
    const { refresh_token: token = '' } = (await exchange.json()) as TokenResponse;
    const again = { grant_type: 'refresh_token', refresh_token: token, client_id: id };
    // The document also lists `none`. A thief of the token cannot choose it.
    for (const endpoint of ['token', 'revoke', 'par', 'device']) {
      const unsigned = await post(gatehouse, endpoint, { ...again, token });
      await expectOAuthError(unsigned, 401, 'invalid_client');
    }
    const stranger = await createPair('RS256', 'chatgpt');
    const forged = asserting(await keyed.assertion(own, stranger));
    const refused = await post(gatehouse, 'token', { ...again, ...forged });
    await expectOAuthError(refused, 401, 'invalid_client');
    const refreshed = await post(gatehouse, 'token', {
      ...again,
      ...asserting(await keyed.assertion(own, pair)),
    });
    expect(refreshed.status).toBe(200);
  });
});

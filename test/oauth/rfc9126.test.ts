// Pushed authorization requests: RFC 9126, by its sections.
import { beforeAll, describe, expect, it } from '@jest/globals';

import { runCleanup } from '../../src/server/cleanup.js';
import { useFixture } from '../support/app/use-fixture.js';
import { useGatehouseBehindProxy } from '../support/app/use-gatehouse.js';
import { createCli } from '../support/app/cli.js';
import { createTestAppBehindProxy } from '../support/app/clients.js';
import { createWebServer } from '../support/app/web-server.js';
import { asserting, createPair, signAssertion } from '../support/oauth/assertions.js';
import { publish } from '../support/oauth/client-documents.js';
import { createProver, type Prover } from '../support/oauth/dpop.js';
import { expectOAuthError } from '../support/oauth/oauth-requests.js';
import {
  approve,
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  PASSWORD,
  post,
  REDIRECT,
  registerClient,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';

const gatehouse = useGatehouseBehindProxy({ OUTBOUND_ALLOW_LOOPBACK: 'true' });
const host = useFixture(() => createWebServer());
let issuer: string;
let user: TestUser;
let client: TestClient;
beforeAll(async () => {
  issuer = gatehouse.config.ISSUER;
  user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'company_admin']]);
  client = await registerClient(gatehouse);
});

const PKCE = createPkce();
const valid = () => ({
  client_id: client.client_id,
  response_type: 'code',
  redirect_uri: REDIRECT,
  scope: 'contacts:read offline_access',
  state: 'pushed-state',
  code_challenge: PKCE.challenge,
  code_challenge_method: 'S256',
});
const push = (fields: Readonly<Record<string, string>> = {}, headers = {}) =>
  post(gatehouse, 'par', { ...valid(), ...fields }, headers);

async function pushed(fields: Readonly<Record<string, string>> = {}): Promise<string> {
  const answer = await push(fields);
  const text = await answer.text();
  expect([answer.status, text]).toEqual([201, expect.stringContaining('request_uri')]);
  return (JSON.parse(text) as { request_uri: string }).request_uri;
}

/** The URL with which the browser comes (§4). */
const urlOf = (requestUri: string, more: Record<string, string> = {}) =>
  `/api/v1/oauth/authorize?${new URLSearchParams({
    client_id: client.client_id,
    request_uri: requestUri,
    ...more,
  }).toString()}`;
const newBrowser = () => createBrowser({ origin: gatehouse.origin, issuer });
const refusedAt = async (url: string) => {
  const stop = await newBrowser().open(url);
  return `${stop.status} ${/invalid_\w+/.exec(stop.html)?.[0]}`;
};

const exchange = (callback: URL, headers = {}) =>
  post(
    gatehouse,
    'token',
    {
      grant_type: 'authorization_code',
      client_id: client.client_id,
      code: callback.searchParams.get('code') ?? '',
      redirect_uri: REDIRECT,
      code_verifier: PKCE.verifier,
    },
    headers,
  );

describe('a pushed request', () => {
  it('is answered with a reference that leads to a code (§2.2, §4)', async () => {
    const answer = await push();
    expect(answer.status).toBe(201);
    expect(answer.headers.get('Content-Type')).toMatch(/^application\/json/);
    expect(answer.headers.get('Cache-Control')).toBe('no-cache, no-store');
    const body = (await answer.json()) as { request_uri: string; expires_in: number };
    expect(body).toEqual({
      request_uri: expect.stringMatching(/^urn:ietf:params:oauth:request_uri:[\w-]{43}$/),
      expires_in: 60,
    });

    const callback = await approve(gatehouse, urlOf(body.request_uri), { user });
    expect(callback.origin + callback.pathname).toBe(REDIRECT);
    expect(callback.searchParams.get('state')).toBe('pushed-state');
    expect(callback.searchParams.get('iss')).toBe(issuer);
    const issued = await exchange(callback);
    expect(await issued.json()).toMatchObject({ scope: 'contacts:read offline_access' });
  });

  it('binds the code to the key of its proof, as dpop_jkt would (RFC 9449 §10.1)', async () => {
    const [prover, other] = [await createProver(), await createProver()];
    const proofOf = async (by: Prover, endpoint = 'par') => ({
      DPoP: await by.prove({ method: 'POST', url: `${issuer}/api/v1/oauth/${endpoint}` }),
    });
    const proof = await proofOf(prover);
    const answer = await push({}, proof);
    expect([answer.status, answer.headers.get('DPoP-Nonce')]).toEqual([
      201,
      expect.stringMatching(/./),
    ]);
    const { request_uri: requestUri } = (await answer.json()) as { request_uri: string };
    const callback = await approve(gatehouse, urlOf(requestUri), { user });
    await expectOAuthError(await exchange(callback), 400, 'invalid_grant');
    const byOther = await exchange(callback, await proofOf(other, 'token'));
    await expectOAuthError(byOther, 400, 'invalid_grant');
    const byHolder = await exchange(callback, await proofOf(prover, 'token'));
    expect(await byHolder.json()).toMatchObject({ token_type: 'DPoP' });

    await expectOAuthError(await push({}, proof), 400, 'invalid_dpop_proof');
    const elsewhere = await push({}, await proofOf(prover, 'token'));
    await expectOAuthError(elsewhere, 400, 'invalid_dpop_proof');
    const contradiction = await push({ dpop_jkt: other.thumbprint }, await proofOf(prover));
    await expectOAuthError(contradiction, 400, 'invalid_request');
  });

  it('works once, also for many browsers at a time (§4)', async () => {
    const url = urlOf(await pushed());
    const stops = await Promise.all(Array.from({ length: 5 }, () => newBrowser().open(url)));
    expect(stops.map(({ status }) => status).toSorted()).toEqual([200, 400, 400, 400, 400]);
    expect(await refusedAt(url)).toBe('400 invalid_request_uri');
  });

  it('works for a minute (§2.2)', async () => {
    const url = urlOf(await pushed());
    await gatehouse.database.shiftClock('61 s');
    expect(await refusedAt(url)).toBe('400 invalid_request_uri');
    await runCleanup(gatehouse.dataSource, new AbortController().signal);
    await gatehouse.database.shiftClock('0');
    expect(await gatehouse.database.query('SELECT FROM pushed_requests')).toHaveLength(0);
  });

  it('belongs to its client, which does not lose it to another (§2.2)', async () => {
    const requestUri = await pushed();
    const { client_id: other } = await registerClient(gatehouse);
    expect(await refusedAt(urlOf(requestUri, { client_id: other }))).toBe(
      '400 invalid_request_uri',
    );
    expect(await refusedAt(urlOf(requestUri, { client_id: '' }))).toBe('400 invalid_request_uri');
    expect((await newBrowser().open(urlOf(requestUri))).status).toBe(200);
  });

  it('is not altered by parameters beside the reference (RFC 9101 §6.3)', async () => {
    const planted = { redirect_uri: 'https://evil.example/', scope: 'contacts:write', state: 'x' };
    const callback = await approve(gatehouse, urlOf(await pushed(), planted), { user });
    expect(callback.origin + callback.pathname).toBe(REDIRECT);
    expect(callback.searchParams.get('state')).toBe('pushed-state');
  });

  it('cannot be guessed, and other references are not supported (§7.1)', async () => {
    const urn = 'urn:ietf:params:oauth:request_uri:';
    for (const uri of [urn, `${urn}x`, `${urn}${'A'.repeat(43)}`, `${urn}${'A'.repeat(5000)}`]) {
      expect(await refusedAt(urlOf(uri))).toBe('400 invalid_request_uri');
    }
    const { status } = await newBrowser().open(urlOf('https://app.example.com/request'));
    expect(status).toBe(400);
    const rows = await gatehouse.database.query<{ text: string }>(
      'SELECT row_to_json(p)::text AS text FROM pushed_requests p',
    );
    expect(rows.every(({ text }) => !text.includes(urn))).toBe(true);
  });
});

describe('the endpoint', () => {
  it.each<[string, string, Record<string, string>]>([
    // §2.1
    ['invalid_request', 'a request_uri', { request_uri: 'urn:ietf:params:oauth:request_uri:x' }],
    ['request_not_supported', 'a request object', { request: 'a.b.c' }],
    ['invalid_request', 'no response_type', { response_type: '' }],
    ['unsupported_response_type', 'another response_type', { response_type: 'token' }],
    ['unsupported_response_mode', 'another response_mode', { response_mode: 'fragment' }],
    ['invalid_request', 'no redirect_uri', { redirect_uri: '' }],
    ['invalid_request', 'another redirect_uri', { redirect_uri: 'https://evil.example/' }],
    ['invalid_request', 'no code_challenge', { code_challenge: '' }],
    ['invalid_request', 'a short code_challenge', { code_challenge: 'short' }],
    ['invalid_request', 'plain PKCE', { code_challenge_method: 'plain' }],
    ['invalid_scope', 'an unknown scope', { scope: 'contacts:read unknown:scope' }],
    ['invalid_target', 'an unknown resource', { resource: 'https://api.example.com' }],
    ['invalid_request', 'a long state', { state: 'x'.repeat(3000) }],
    ['invalid_request', 'long parameters', { extra: 'x'.repeat(7000) }],
    ['invalid_request', 'a NUL character', { state: 'a\0b' }],
  ])('answers 400 %s to %s (§2.3)', async (error, _what, fields) => {
    await expectOAuthError(await push(fields), 400, error);
  });

  it('refuses repeated parameters, and other forms and methods (§2.3)', async () => {
    const url = `${gatehouse.origin}/api/v1/oauth/par`;
    const body = new URLSearchParams([...Object.entries(valid()), ['state', 'again']]);
    await expectOAuthError(await fetch(url, { method: 'POST', body }), 400, 'invalid_request');
    const json = { 'Content-Type': 'application/json' };
    const asJson = await fetch(url, { method: 'POST', headers: json, body: '{}' });
    expect(asJson.status).toBe(415);
    expect((await fetch(url)).status).toBe(405);
    const large = await push({ extra: 'x'.repeat(70_000) });
    expect(large.status).toBe(413);
  });

  it('authenticates each kind of client as the token endpoint does (§2)', async () => {
    const secret = await registerClient(gatehouse, {
      token_endpoint_auth_method: 'client_secret_basic',
    });
    const { client_id: id, client_secret: word = '' } = secret;
    const basic = (text: string) => ({
      Authorization: `Basic ${Buffer.from(`${id}:${text}`).toString('base64')}`,
    });
    expect((await push({ client_id: id }, basic(word))).status).toBe(201);
    await expectOAuthError(await push({ client_id: id }, basic('wrong')), 401, 'invalid_client');
    await expectOAuthError(await push({ client_id: id }), 401, 'invalid_client');
    await expectOAuthError(await push({ client_id: 'cli_x' }), 401, 'invalid_client');
    await expectOAuthError(await push({ client_id: '' }), 401, 'invalid_client');

    const pair = await createPair('ES256', 'own');
    const keyed = await registerClient(gatehouse, {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [pair.jwk] },
    });
    // §2: issuer, token endpoint, or this endpoint
    for (const path of ['', '/api/v1/oauth/token', '/api/v1/oauth/par']) {
      const jwt = await signAssertion(keyed.client_id, issuer + path, pair);
      expect((await push({ client_id: keyed.client_id, ...asserting(jwt) })).status).toBe(201);
    }
    const elsewhere = await signAssertion(keyed.client_id, `${issuer}/api/v1/oauth/par`, pair);
    const revocation = await post(gatehouse, 'revoke', { token: 'x', ...asserting(elsewhere) });
    expect(revocation.status).toBe(401);
    const stored = await gatehouse.database.query<{ text: string }>(
      'SELECT parameters::text AS text FROM pushed_requests',
    );
    expect(stored.some(({ text }) => /secret|assertion/.test(text))).toBe(false);
  });

  it('fetches the metadata document of a client that comes here first', async () => {
    const id = publish(host, '/par-client.json', {
      client_name: 'A documented app',
      redirect_uris: [REDIRECT],
    });
    const requestUri = await pushed({ client_id: id });
    const { status } = await newBrowser().open(urlOf(requestUri, { client_id: id }));
    expect(status).toBe(200);
    await expectOAuthError(await push({ client_id: `${id}?missing` }), 401, 'invalid_client');
  });

  it('may be read by pages as the token endpoint may (CORS)', async () => {
    const origin = { Origin: 'https://spa.example' };
    const answer = await push({}, origin);
    expect(answer.headers.get('Access-Control-Allow-Origin')).toMatch(/^(\*|https:\/\/spa.*)$/);
    const { client_id: id, client_secret: word = '' } = await registerClient(gatehouse, {
      token_endpoint_auth_method: 'client_secret_post',
    });
    const fields = { client_id: id, client_secret: word };
    const other = await push(fields, origin);
    expect(other.headers.get('Access-Control-Allow-Origin')).toBeNull();
    const own = await push(fields, { Origin: new URL(REDIRECT).origin });
    expect(own.headers.get('Access-Control-Allow-Origin')).toBe(new URL(REDIRECT).origin);
  });

  it('is limited by address', async () => {
    const limited = await createTestAppBehindProxy({ RATE_LIMIT_AUTHORIZE_PER_MINUTE: '2' });
    const own = await registerClient(limited);
    const send = () => post(limited, 'par', { ...valid(), client_id: own.client_id });
    const answers = [await send(), await send(), await send()];
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 429]);
    expect(Number(answers[2]?.headers.get('Retry-After'))).toBeGreaterThan(0);
    await limited.close();
  });

  it('is named by the metadata (§5)', async () => {
    const { body } = await gatehouse.http.get('/.well-known/oauth-authorization-server');
    expect(body).toMatchObject({
      pushed_authorization_request_endpoint: `${issuer}/api/v1/oauth/par`,
      require_pushed_authorization_requests: false,
    });
  });
});

describe('the operator', () => {
  it('can require pushed requests of a client (§6)', async () => {
    const cli = createCli(gatehouse.database);
    const own = await registerClient(gatehouse);
    const direct = authorizeUrl(issuer, {
      client_id: own.client_id,
      code_challenge: PKCE.challenge,
    });
    expect((await newBrowser().open(direct)).status).toBe(200);
    expect((await cli(['clients', 'require-par', own.client_id])).code).toBe(0);
    expect(await refusedAt(direct)).toBe('400 invalid_request');

    const url = urlOf(await pushed({ client_id: own.client_id }), { client_id: own.client_id });
    const browser = newBrowser();
    const login = await browser.open(url);
    const consent = await browser.submit(login, { email: user.email, password: PASSWORD });
    expect(new URL(consent.url).pathname).toMatch(/^\/consent\//);
    // Another account continues the same request.
    const again = await browser.submit(consent, { decision: 'switch_account' });
    expect(new URL(again.url).pathname).toMatch(/^\/login\//);
    const consentAgain = await browser.submit(again, { email: user.email, password: PASSWORD });
    const end = await browser.submit(consentAgain, { decision: 'approve' });
    expect(end.url).toContain(`${REDIRECT}?code=`);

    expect((await cli(['clients', 'unrequire-par', own.client_id])).code).toBe(0);
    expect((await newBrowser().open(direct)).status).toBe(200);
  });
});

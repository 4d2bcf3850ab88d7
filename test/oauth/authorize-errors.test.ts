import { beforeAll, describe, expect, it } from '@jest/globals';

import {
  authorize,
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  mainOf,
  REDIRECT,
  registerClient,
  type Browser,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { ageSignIns } from '../support/oauth/sign-in-age.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/** Invalid requests with a valid client and redirect URI, and their errors. */
const REFUSED: readonly (readonly [string, Record<string, string>, string])[] = [
  ['without PKCE', { code_challenge: '', code_challenge_method: '' }, 'invalid_request'],
  ['without a PKCE method', { code_challenge_method: '' }, 'invalid_request'],
  ['with plain PKCE', { code_challenge_method: 'plain' }, 'invalid_request'],
  ['with a malformed challenge', { code_challenge: 'short' }, 'invalid_request'],
  ['without a response type', { response_type: '' }, 'invalid_request'],
  ...['token', 'id_token', 'code token', 'code id_token', 'none', 'x'].map(
    (type) => [`for ${type}`, { response_type: type }, 'unsupported_response_type'] as const,
  ),
  ...['fragment', 'form_post', 'web_message', 'jwt', 'query.jwt', 'x', 'toString'].map(
    (mode) => [`by ${mode}`, { response_mode: mode }, 'unsupported_response_mode'] as const,
  ),
  ['for another resource', { resource: 'https://elsewhere.example' }, 'invalid_target'],
  ['for text that is not a resource', { resource: 'x' }, 'invalid_target'],
  ['with a request object', { request: 'e30.e30.' }, 'request_not_supported'],
  ['with a request URI', { request_uri: 'urn:x' }, 'request_uri_not_supported'],
  ['with a registration', { registration: '{}' }, 'registration_not_supported'],
  ['with a prompt that there is none of', { prompt: 'x' }, 'invalid_request'],
  ['with prompts that exclude each other', { prompt: 'none login' }, 'invalid_request'],
  ['with a max_age that is not a number', { max_age: '-1', scope: 'openid' }, 'invalid_request'],
  [
    'with a hint that is not an id_token',
    { id_token_hint: 'x', scope: 'openid' },
    'invalid_request',
  ],
  ['for an unknown scope', { scope: 'contacts:read contact:read' }, 'invalid_scope'],
  ['for scopes with a comma', { scope: 'contacts:read,leads:read' }, 'invalid_scope'],
  ['for a scope in capitals', { scope: 'Contacts:Read' }, 'invalid_scope'],
  ['for text that is not a scope', { scope: 'contacts:read "x"' }, 'invalid_scope'],
  ['for a name that objects have', { scope: 'constructor' }, 'invalid_scope'],
  ['with a tab between scopes', { scope: 'contacts:read\tleads:read' }, 'invalid_scope'],
  ['for a resource with a fragment', { resource: 'http://localhost:3000#x' }, 'invalid_target'],
];

describe('GET /api/v1/oauth/authorize, refused', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let issuer: string;
  let user: TestUser;
  let client: TestClient;
  let confidential: TestClient;
  let signedIn: Browser;
  beforeAll(async () => {
    issuer = gatehouse.config.ISSUER;
    user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'company_admin']]);
    client = await registerClient(gatehouse);
    confidential = await registerClient(gatehouse, {
      token_endpoint_auth_method: 'client_secret_basic',
    });
    signedIn = createBrowser({ origin: gatehouse.origin, issuer });
    await authorize(gatehouse, { client, user, browser: signedIn });
  });

  const stranger = () => createBrowser({ origin: gatehouse.origin, issuer });
  const urlFor = (parameters: Record<string, string>, of = client) =>
    authorizeUrl(issuer, {
      client_id: of.client_id,
      code_challenge: createPkce().challenge,
      ...parameters,
    });
  async function expectPage(browser: Browser, url: string, code?: string) {
    const stop = await browser.open(url);
    expect({ status: stop.status, url: stop.url }).toEqual({ status: 400, url });
    expect(stop.headers.get('Content-Type')).toBe('text/html; charset=utf-8');
    expect(stop.headers.get('Location')).toBeNull();
    expect(stop.headers.get('Content-Security-Policy')).toContain("frame-ancestors 'none'");
    if (code !== undefined) expect(mainOf(stop)).toContain(`<code>${code}</code>`);
  }
  async function expectRedirect(browser: Browser, url: string, error: string) {
    const { url: end } = await browser.open(url);
    const { origin, pathname, searchParams, hash } = new URL(end);
    searchParams.delete('error_description');
    expect({ to: origin + pathname, hash, ...Object.fromEntries(searchParams) }).toEqual({
      to: REDIRECT,
      hash: '',
      error,
      iss: issuer,
      state: 'some-state',
    });
  }

  describe.each(REFUSED)('a request %s', (_name, parameters, error) => {
    it('shows a page before the user has signed in', () =>
      expectPage(stranger(), urlFor(parameters), error));

    it('redirects the error to the client once the user has signed in', async () => {
      await expectRedirect(signedIn, urlFor(parameters), error);
      await expectRedirect(signedIn, urlFor(parameters, confidential), error);
    });
  });

  describe('a request without a trusted redirect URI', () => {
    it.each([
      ['an unknown client', { client_id: 'cli_00000000000000000000000000000000' }],
      ['text that is not a client id', { client_id: '../<script>' }],
      ['no client', { client_id: '' }],
      ['no redirect', { redirect_uri: '' }],
      ['another redirect', { redirect_uri: 'https://evil.example/callback' }],
      ['a redirect with a slash more', { redirect_uri: `${REDIRECT}/` }],
      ['a redirect with a query', { redirect_uri: `${REDIRECT}?x=1` }],
      ['a redirect with a fragment', { redirect_uri: `${REDIRECT}#x` }],
      ['a redirect in capitals', { redirect_uri: REDIRECT.toUpperCase() }],
      ['a redirect to another port', { redirect_uri: 'https://app.example.com:444/callback' }],
      ['a redirect with a user', { redirect_uri: 'https://evil@app.example.com/callback' }],
      ['a redirect with dots', { redirect_uri: 'https://app.example.com/x/../callback' }],
      ['a script', { redirect_uri: 'javascript:alert(1)' }],
      ['text that is not a URL', { redirect_uri: 'x' }],
    ])('is a page for %s, signed in or not', async (_name, parameters) => {
      for (const more of [{}, { prompt: 'none' }, { response_type: 'token' }]) {
        for (const browser of [stranger(), signedIn]) {
          await expectPage(browser, urlFor({ ...parameters, ...more } as Record<string, string>));
        }
      }
    });

    it('shows a page for repeated parameters', async () => {
      for (const name of ['client_id', 'redirect_uri', 'state', 'scope', 'response_type']) {
        const url = `${urlFor({})}&${name}=x`;
        const stop = await stranger().open(url);
        expect({ name, status: stop.status }).toEqual({ name, status: 400 });
      }
    });

    it('shows a page to programs too', async () => {
      const headers = { Accept: 'application/json' };
      const target = gatehouse.origin + new URL(urlFor({ client_id: 'cli_x' })).search;
      const url = target.replace('?', '/api/v1/oauth/authorize?');
      const answer = await fetch(url, { headers, redirect: 'manual' });
      expect(answer.status).toBe(400);
      expect(answer.headers.get('Content-Type')).toBe('text/html; charset=utf-8');
    });
  });

  describe('prompt=none', () => {
    it('redirects the error to the client before the user has signed in', async () => {
      await expectRedirect(stranger(), urlFor({ prompt: 'none' }), 'login_required');
    });

    it('answers consent_required without consent', async () => {
      const fresh = await registerClient(gatehouse);
      await expectRedirect(signedIn, urlFor({ prompt: 'none' }, fresh), 'consent_required');
    });

    it('answers login_required for a sign-in older than max_age', async () => {
      await ageSignIns(gatehouse.database, 3);
      await expectRedirect(
        signedIn,
        urlFor({ prompt: 'none', max_age: '1', scope: 'openid' }),
        'login_required',
      );
    });

    it('issues a code where consent is remembered', async () => {
      const { searchParams } = new URL((await signedIn.open(urlFor({ prompt: 'none' }))).url);
      expect(Object.fromEntries(searchParams)).toEqual({
        code: expect.stringMatching(/^bwp_ac_[0-9A-Za-z]{49}$/),
        iss: issuer,
        state: 'some-state',
      });
    });
  });

  describe('PAR and request objects', () => {
    it('are not supported', async () => {
      for (const path of ['request', 'session/end', 'token/introspection', 'me']) {
        const answer = await fetch(`${gatehouse.origin}/api/v1/oauth/${path}`);
        expect({ path, status: answer.status }).toEqual({ path, status: 404 });
      }
    });
  });
});

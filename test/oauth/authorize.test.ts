import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import {
  authorize,
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  getTokens,
  PASSWORD,
  post,
  readForm,
  REDIRECT,
  registerClient,
  type Browser,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { ageSignIns } from '../support/oauth/sign-in-age.js';
import { getCodeForm, refresh } from '../support/oauth/oauth-requests.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const pathOf = (stop: { url: string }) => new URL(stop.url).pathname.split('/')[1];

describe('GET /api/v1/oauth/authorize', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let issuer: string;
  let tenant: Tenant;
  let user: TestUser;
  let client: TestClient;
  let browser: Browser;
  beforeAll(async () => {
    issuer = gatehouse.config.ISSUER;
    tenant = await gatehouse.createTenant('acme');
  });
  beforeEach(async () => {
    user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    client = await registerClient(gatehouse);
    browser = createBrowser({ origin: gatehouse.origin, issuer });
  });

  const urlFor = (parameters: Record<string, string> = {}) =>
    authorizeUrl(issuer, {
      client_id: client.client_id,
      code_challenge: createPkce().challenge,
      ...parameters,
    });
  const signIn = async (parameters: Record<string, string> = {}) =>
    browser.submit(await browser.open(urlFor(parameters)), {
      email: user.email,
      password: PASSWORD,
    });
  const pass = (parameters: Record<string, string> = {}) =>
    authorize(gatehouse, { client, user, browser, parameters });

  describe('302', () => {
    it('answers with code, iss and the exact state', async () => {
      const state = `a b+c&d=e#%25"<é'`;
      const { origin, pathname, searchParams, hash } = await pass({ state });
      expect({ to: origin + pathname, hash, ...Object.fromEntries(searchParams) }).toEqual({
        to: REDIRECT,
        hash: '',
        code: expect.stringMatching(/^bwp_ac_[0-9A-Za-z]{49}$/),
        iss: issuer,
        state,
      });
    });

    it('sends no state that was not requested', async () => {
      expect([...(await pass({ state: '' })).searchParams.keys()].toSorted()).toEqual([
        'code',
        'iss',
      ]);
    });

    it('answers access_denied when the user denies', async () => {
      const stop = await browser.submit(await signIn(), { decision: 'deny' });
      expect(Object.fromEntries(new URL(stop.url).searchParams)).toEqual({
        error: 'access_denied',
        error_description: expect.stringMatching(/./),
        iss: issuer,
        state: 'some-state',
      });
      expect(pathOf(await browser.open(urlFor()))).toBe('consent');
    });

    it('answers a POST request too', async () => {
      const answer = await browser.request(`${issuer}/api/v1/oauth/authorize`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: new URL(urlFor()).search.slice(1),
      });
      expect(answer.status).toBe(303);
      const next = await browser.open(answer.headers.get('Location') ?? '');
      expect(pathOf(next)).toBe('login');
    });

    it('keeps the query of a registered redirect', async () => {
      const redirect_uri = `${REDIRECT}?app=1`;
      client = await registerClient(gatehouse, { redirect_uris: [redirect_uri] });
      const { searchParams } = await pass({ redirect_uri });
      expect(searchParams.get('app')).toBe('1');
      expect(searchParams.get('code')).toMatch(/^bwp_ac_/);
    });

    it('redirects to any port on loopback, and to private-use schemes', async () => {
      const uris = ['http://127.0.0.1:4000/cb', 'http://[::1]/cb', 'cursor://cb/x'];
      client = await registerClient(gatehouse, { redirect_uris: uris });
      for (const redirect_uri of [
        'http://127.0.0.1:51234/cb',
        'http://[::1]:9/cb',
        uris[2] ?? '',
      ]) {
        const tokens = await getTokens(gatehouse, { client, user, parameters: { redirect_uri } });
        expect(tokens.scope).toBe('contacts:read offline_access');
      }
    });
  });

  describe('prompt', () => {
    it('login prompts for the password', async () => {
      await pass();
      const stop = await browser.open(urlFor({ prompt: 'login' }));
      expect(pathOf(stop)).toBe('login');
      const next = await browser.submit(stop, { email: user.email, password: PASSWORD });
      expect(new URL(next.url).searchParams.get('code')).toMatch(/^bwp_ac_/);
    });

    it('select_account lets another account sign in', async () => {
      await pass();
      const other = await createUser(gatehouse, [[tenant, 'viewer']]);
      const stop = await browser.open(urlFor({ prompt: 'select_account' }));
      expect(pathOf(stop)).toBe('login');
      const next = await browser.submit(stop, { email: other.email, password: PASSWORD });
      expect(pathOf(next)).toBe('consent');
      expect(next.html).toContain(other.email);
      expect(next.html).not.toContain(user.email);
    });

    it('consent asks again', async () => {
      await pass();
      expect(pathOf(await browser.open(urlFor({ prompt: 'consent' })))).toBe('consent');
    });

    it('login consent asks for both', async () => {
      await pass();
      const stop = await browser.open(urlFor({ prompt: 'login consent' }));
      expect(pathOf(stop)).toBe('login');
      const next = await browser.submit(stop, { email: user.email, password: PASSWORD });
      expect(pathOf(next)).toBe('consent');
    });
  });

  it('asks for the password again after max_age', async () => {
    const scope = 'openid';
    await pass({ scope });
    expect(pathOf(await browser.open(urlFor({ scope, max_age: '600' })))).toBe('callback');
    await ageSignIns(gatehouse.database, 3);
    expect(pathOf(await browser.open(urlFor({ scope, max_age: '1' })))).toBe('login');
    expect(pathOf(await browser.open(urlFor({ scope, max_age: '0' })))).toBe('login');
  });

  it('fills in login_hint as text', async () => {
    const hint = `"><script>alert(1)</script>@example.com`;
    const { html } = await browser.open(urlFor({ login_hint: hint }));
    expect(html).not.toContain('<script>');
    expect(html).toContain('value="&quot;&gt;&lt;script');
  });

  describe('scope', () => {
    it('drops scopes that are not for OAuth, or beyond the role', async () => {
      const viewer = await createUser(gatehouse, [[tenant, 'viewer']]);
      const scope = '  leads:read   contacts:read contacts:write api_keys:manage introspect ';
      const form = await getCodeForm(gatehouse, { client, user: viewer, parameters: { scope } });
      const answer = await post(gatehouse, 'token', form);
      expect(await answer.json()).toMatchObject({ scope: 'contacts:read leads:read' });
    });

    it('defaults to all reads and offline_access', async () => {
      const { scope } = await getTokens(gatehouse, { client, user, parameters: { scope: '' } });
      expect(scope.split(' ').filter((name) => name.endsWith(':read'))).toHaveLength(10);
      expect(scope).toContain('offline_access');
    });

    it('is limited to the registered scopes', async () => {
      client = await registerClient(gatehouse, { scope: 'contacts:read leads:read' });
      const ask = async (scope: string) =>
        (await getTokens(gatehouse, { client, user, parameters: { scope } })).scope;
      expect(await ask('')).toBe('contacts:read leads:read');
      expect(await ask('contacts:read offline_access')).toBe('contacts:read');
      await pass({ scope: 'contacts:read' });
      const { searchParams } = await pass({ scope: 'contacts:read bids:read email' });
      expect(searchParams.get('error')).toBe('invalid_scope');
      expect(searchParams.get('error_description')).toMatch(/: bids:read email$/);
      expect(searchParams.get('state')).toBe('some-state');
    });

    it('answers access_denied if no scope is left', async () => {
      const viewer = await createUser(gatehouse, [[tenant, 'viewer']]);
      for (const scope of ['contacts:write', 'api_keys:manage']) {
        const { searchParams } = await authorize(gatehouse, {
          client,
          user: viewer,
          parameters: { scope },
        });
        expect({ scope, error: searchParams.get('error') }).toEqual({
          scope,
          error: 'access_denied',
        });
        // RFC 6749 §4.1.2.1
        expect(searchParams.get('error_description')).toMatch(/^[ !#-[\]-~]+$/);
        expect(searchParams.get('state')).toBe('some-state');
      }
      const unticked = await authorize(gatehouse, { client, user, scope: [] });
      expect(unticked.searchParams.get('error')).toBe('access_denied');
    });

    it('is offered ticked, and grants the ticked ones', async () => {
      const form = readForm((await signIn({ scope: 'contacts:read leads:read' })).html);
      expect(form.boxes).toEqual(['contacts:read', 'leads:read']);
      expect(form.ticked).toEqual(form.boxes);
      const tokens = await getTokens(gatehouse, {
        client,
        user,
        parameters: { scope: 'contacts:read leads:read' },
        scope: ['leads:read', 'bids:read', 'nonsense'],
      });
      expect(tokens.scope).toBe('leads:read');
    });

    it('offline_access is honoured without prompt=consent, and named on the page', async () => {
      const stop = await signIn({ scope: 'contacts:read offline_access' });
      expect(readForm(stop.html).boxes).toContain('offline_access');
      const tokens = await getTokens(gatehouse, { client, user });
      expect((await refresh(gatehouse, client, tokens.refresh_token)).status).toBe(200);
    });
  });
});

import { beforeAll, describe, expect, it } from '@jest/globals';

import { createClientStore } from '../../src/clients/client-store.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import {
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  mainOf,
  PASSWORD,
  registerClient,
  type BrowserStop,
  type TestClient,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const LURE = 'Your account is locked. Call +1 555 0100 now';
const LOCATION =
  'https://app.example.com/cb?error=account_locked&error_description=' + encodeURIComponent(LURE);

/** Anyone can register a client. Its texts must not look like the server’s. */
describe('a page of an authorization', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let tenant: Tenant;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
  });

  const open = ({ client_id }: TestClient, parameters: Record<string, string> = {}) => {
    const { ISSUER: issuer } = gatehouse.config;
    const challenge = createPkce().challenge;
    const url = authorizeUrl(issuer, { client_id, code_challenge: challenge, ...parameters });
    return createBrowser({ origin: gatehouse.origin, issuer }).open(url);
  };

  it.each([
    [{ response_type: 'token' }, 'unsupported_response_type'],
    [{ code_challenge: '' }, 'invalid_request'],
    [{ resource: 'https://elsewhere.example' }, 'invalid_target'],
    [{ scope: 'nonsense' }, 'invalid_scope'],
    [{ request: 'x' }, 'request_not_supported'],
  ] as const)(
    'for a request with %j shows nothing of the query of the redirect URI',
    async (parameters, code) => {
      const client = await registerClient(gatehouse, { redirect_uris: [LOCATION] });
      const page = await open(client, { redirect_uri: LOCATION, ...parameters });
      expect(page.status).toBe(400);
      expect(mainOf(page)).toContain(`<code>${code}</code>`);
      expect(mainOf(page)).not.toMatch(/locked|555.{1,3}0100/);
    },
  );

  it('quotes nothing of the request', async () => {
    const client = await registerClient(gatehouse);
    for (const parameters of [
      { error_description: LURE, error: LURE, scope: 'nonsense' },
      { response_type: LURE },
      { response_mode: LURE },
      { prompt: LURE },
      { resource: LURE },
      { code_challenge: LURE },

      { max_age: LURE, scope: 'openid' },
      { id_token_hint: LURE, scope: 'openid' },
      { redirect_uri: LURE },
      { client_id: LURE },
      { scope: `"${LURE}"`, state: LURE },
      { code_challenge_method: LURE },
    ]) {
      const page = await open(client, parameters as Record<string, string>);
      expect({ parameters, status: page.status }).toEqual({ parameters, status: 400 });
      expect(mainOf(page)).not.toMatch(/locked|555.{1,3}0100/);
    }
  });

  it('quotes unknown scopes, as words without spaces', async () => {
    const client = await registerClient(gatehouse);
    const scope = `contacts:read contact:read a,b ${'x'.repeat(100)} <b>x</b>`;
    const page = mainOf(await open(client, { scope }));
    expect(page).toContain('<code>contact:read</code> <code>a,b</code>');
    expect(page).not.toMatch(/x{10}|<b>|&lt;b/);
  });

  it('quotes no message made of unknown scopes', async () => {
    const client = await registerClient(gatehouse);
    const shown = async (scope: string) => {
      const page = mainOf(await open(client, { scope }));
      expect(page).toContain('<code>invalid_scope</code>');
      return /<dt>Asked for<\/dt><dd>(.*?)<\/dd>/.exec(page)?.[1] ?? '';
    };
    expect(await shown('Your account is locked')).toBe('<code>account</code> ');
    expect(await shown('call:0800-555-0100 evil.example/help Your_account_is_locked')).toBe('');
    expect(await shown('contact:read leads.read your account is locked')).toBe(
      '<code>contact:read</code> <code>leads.read</code> <code>your</code> ',
    );
    expect(await shown('leads:delete '.repeat(400) + 'contact:read'.repeat(90))).toBe('');
  });

  describe('shows the name of a client', () => {
    const name = `Gatehouse Security: your account was locked, ${'call +1 555 0100 '.repeat(12)}`;
    const warning = 'has not verified who runs this app';

    it('shortened, next to a warning, before consent', async () => {
      const client = await registerClient(gatehouse, { client_name: name.slice(0, 200) });
      const page = await open(client);
      const [, shown = ''] = /<bdi class="claimed">([^<]*)<\/bdi>/.exec(page.html) ?? [];
      expect(shown).toBe(`${name.slice(0, 60).trimEnd()}…`);
      expect(mainOf(page)).toContain(warning);
      expect(page.html).not.toContain(name.slice(0, 100));
    });

    it('on the page that chooses an organization too', async () => {
      const client = await registerClient(gatehouse, { client_name: name.slice(0, 200) });
      const other = await gatehouse.createTenant('other');
      const user = await createUser(gatehouse, [
        [tenant, 'viewer'],
        [other, 'viewer'],
      ]);
      const { ISSUER: issuer } = gatehouse.config;
      const browser = createBrowser({ origin: gatehouse.origin, issuer });
      const { client_id } = client;
      const url = authorizeUrl(issuer, { client_id, code_challenge: createPkce().challenge });
      const page = await browser.submit(await browser.open(url), {
        email: user.email,
        password: PASSWORD,
      });
      expect(page.html).toContain('name="tenant_id"');
      expect(mainOf(page)).toContain(warning);
      expect(page.html).not.toContain(name.slice(0, 100));
    });

    it('without a warning once the operator has verified it', async () => {
      const client = await registerClient(gatehouse, { client_name: 'Known app' });
      await createClientStore(gatehouse.dataSource.manager).setVerified(client.client_id, true);
      const page = await open(client);
      expect(mainOf(page)).toContain('Known app');
      expect(mainOf(page)).not.toContain(warning);
    });
  });
});

describe('the way back from an error page', () => {
  const gatehouse = useGatehouse();
  const URI = 'https://app.example.com/cb?tab=1';
  const LOOPBACK = 'http://127.0.0.1/cb';
  let verified: TestClient;
  let planted: TestClient;
  beforeAll(async () => {
    const redirects = { redirect_uris: [URI, LOOPBACK, 'cursor://cb'] };
    verified = await registerClient(gatehouse, { ...redirects, client_name: 'Known <app>' });
    planted = await registerClient(gatehouse, { ...redirects, client_name: 'Planted' });
    await createClientStore(gatehouse.dataSource.manager).setVerified(verified.client_id, true);
  });

  const browserOf = () =>
    createBrowser({ origin: gatehouse.origin, issuer: gatehouse.config.ISSUER });
  const urlFor = ({ client_id }: TestClient, parameters: Record<string, string>) =>
    authorizeUrl(gatehouse.config.ISSUER, {
      client_id,
      code_challenge: createPkce().challenge,
      redirect_uri: URI,
      state: 's&1',
      ...parameters,
    });
  const linksOf = (page: { html: string }) =>
    [...mainOf(page).matchAll(/href="([^"]*)"/g)].map(([, href = '']) =>
      href.replaceAll('&amp;', '&'),
    );

  it('is the response of a verified app, with state and iss, and an explanation of the code', async () => {
    const page = await browserOf().open(urlFor(verified, { scope: 'nonsense' }));
    expect(page.status).toBe(400);
    expect(mainOf(page)).toContain('Back to <bdi dir="auto">Known &lt;app&gt;</bdi>');
    expect(mainOf(page)).toContain('rel="noreferrer"');
    const [back = '', ...others] = linksOf(page);
    expect(back.startsWith(`${URI}&error=invalid_scope&`)).toBe(true);
    expect(Object.fromEntries(new URL(back).searchParams)).toMatchObject({
      state: 's&1',
      iss: gatehouse.config.ISSUER,
    });
    expect(others).toEqual(['/login', '/docs/errors#invalid_scope']);
    const { text } = await gatehouse.http.get('/docs/errors');
    expect(text).toContain('id="invalid_scope"');
  });

  it.each([
    ['a self-registered app', () => planted, {}],
    [
      'a redirect that is not registered',
      () => verified,
      { redirect_uri: 'https://evil.example/' },
    ],
    ['a longer path', () => verified, { redirect_uri: `${URI}&next=https://evil.example` }],
    ['a port on this device', () => verified, { redirect_uri: 'http://127.0.0.1:8080/cb' }],
    ['a private-use scheme', () => verified, { redirect_uri: 'cursor://cb' }],
    ['an unknown app', () => ({ client_id: 'cli_unknown' }), { client_id: 'cli_unknown' }],
  ] as const)('never leads to %s', async (_, client, parameters) => {
    for (const fault of [{ scope: 'nonsense' }, { response_type: 'token' }, { request: 'x' }]) {
      const page = await browserOf().open(
        urlFor(client() as TestClient, { ...parameters, ...fault }),
      );
      expect(page.status).toBe(400);
      expect(linksOf(page).filter((href) => !/^\/(?![/\\])/.test(href))).toEqual([]);
    }
  });

  it('ends when the app is blocked, or changes its redirect URIs', async () => {
    const client = await registerClient(gatehouse, {
      redirect_uris: [URI],
      token_endpoint_auth_method: 'client_secret_basic',
    });
    const set = 'UPDATE clients SET is_verified = true WHERE id = $1';
    await gatehouse.database.query(set, [client.client_id]);
    const links = async (parameters = {}) =>
      linksOf(await browserOf().open(urlFor(client, { scope: 'nonsense', ...parameters })));
    expect((await links())[0]).toMatch(/^https:\/\/app\.example\.com\//);
    const moved = 'https://evil.example/cb';
    const answer = await gatehouse.http
      .put(new URL(client.registration_client_uri).pathname)
      .set('Authorization', `Bearer ${client.registration_access_token}`)
      .send({ client_id: client.client_id, client_name: 'Known', redirect_uris: [moved] });
    expect(answer.status).toBe(200);
    expect((await links({ redirect_uri: moved })).join()).not.toContain('evil.example');
    await gatehouse.database.query(set, [client.client_id]);
    await gatehouse.database.query('UPDATE clients SET blocked_at = now() WHERE id = $1', [
      client.client_id,
    ]);
    expect((await links({ redirect_uri: moved })).join()).not.toContain('evil.example');
  });

  it('is on the page of a sign-in whose session has changed, for this browser only', async () => {
    const tenant = await gatehouse.createTenant('back');
    const user = await createUser(gatehouse, [[tenant, 'viewer']]);
    for (const [client, isLinked] of [
      [verified, true],
      [planted, false],
    ] as const) {
      const browser = browserOf();
      const login = await browser.open(urlFor(client, { scope: 'contacts:read' }));
      const consent = await browser.submit(login, { email: user.email, password: PASSWORD });
      const stranger = await browserOf().open(consent.url);
      expect(linksOf(stranger).join()).not.toContain('app.example.com');
      await gatehouse.database.query('DELETE FROM sessions');
      const page = await browser.open(consent.url);
      expect(page.status).toBe(404);
      const back = linksOf(page).filter((href) => href.startsWith('https:'));
      expect(back).toEqual(
        isLinked
          ? [
              `${URI}&${new URLSearchParams({ error: 'access_denied', state: 's&1', iss: gatehouse.config.ISSUER })}`,
            ]
          : [],
      );
    }
  });

  it('is on the page of a consent that was answered or has expired', async () => {
    const tenant = await gatehouse.createTenant('late');
    const user = await createUser(gatehouse, [[tenant, 'viewer']]);
    const denial = new URLSearchParams({
      error: 'access_denied',
      state: 's&1',
      iss: gatehouse.config.ISSUER,
    });
    const expectBack = (page: BrowserStop, isLinked: boolean) => {
      expect(page.status).toBe(404);
      const back = linksOf(page).filter((href) => href.startsWith('https:'));
      expect(back).toEqual(isLinked ? [`${URI}&${denial}`] : []);
    };
    for (const [client, isLinked] of [
      [verified, true],
      [planted, false],
    ] as const) {
      const browser = browserOf();
      const openConsent = async () => {
        const login = await browser.open(urlFor(client, { scope: 'contacts:read' }));
        if (login.html.includes('name="password"'))
          return browser.submit(login, { email: user.email, password: PASSWORD });
        return login;
      };
      const answered = await openConsent();
      await browser.submit(answered, { decision: 'deny' });
      expectBack(await browser.open(answered.url), isLinked);
      const stranger = await browserOf().open(answered.url);
      expect(linksOf(stranger).join()).not.toContain('app.example.com');

      const expired = await openConsent();
      const expire = `DELETE FROM oauth_artifacts WHERE kind = 'Interaction'`;
      await gatehouse.database.query(expire);
      expectBack(await browser.submit(expired, { decision: 'approve' }), isLinked);
      const [, action = ''] = /action="([^"]*)"/.exec(mainOf(expired)) ?? [];
      expect(action.includes('?back=')).toBe(isLinked);
      const forged = action.replace(/back=[^.]*/, () => {
        const members = [client.client_id, 'https://evil.example/', 'x'];
        return `back=${Buffer.from(JSON.stringify(members)).toString('base64url')}`;
      });
      const other = action.replace('/consent/', '/consent/other');
      for (const path of [forged, other, expired.url]) expectBack(await browser.open(path), false);
      if (!isLinked) continue;
      const unverify = 'UPDATE clients SET is_verified = $2 WHERE id = $1';
      await gatehouse.database.query(unverify, [client.client_id, false]);
      expectBack(await browser.submit(expired, { decision: 'approve' }), false);
      await gatehouse.database.query(unverify, [client.client_id, true]);
    }
  });
});

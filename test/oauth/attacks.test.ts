import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { freshAddress } from '../support/app/clients.js';
import {
  authorize,
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  PASSWORD,
  post,
  readForm,
  registerClient,
  type Browser,
  type BrowserStop,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { expectOAuthError, getCodeForm } from '../support/oauth/oauth-requests.js';
import { sendRaw } from '../support/app/raw-http.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('an attacker', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let issuer: string;
  let user: TestUser;
  let mallory: TestUser;
  let client: TestClient;
  let browser: Browser;
  beforeAll(async () => {
    issuer = gatehouse.config.ISSUER;
    const tenant = await gatehouse.createTenant('acme');
    user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    mallory = await createUser(gatehouse, [[tenant, 'company_admin']]);
    client = await registerClient(gatehouse);
  });
  beforeEach(() => {
    browser = createBrowser({ origin: gatehouse.origin, issuer });
  });

  const urlFor = (parameters: Record<string, string> = {}) =>
    authorizeUrl(issuer, {
      client_id: client.client_id,
      code_challenge: createPkce().challenge,
      prompt: 'consent',
      ...parameters,
    });
  const credentials = () => ({ email: user.email, password: PASSWORD });
  const openConsent = async (of: Browser, parameters = {}) => {
    const stop = await of.open(urlFor(parameters));
    return stop.html.includes('name="password"') ? of.submit(stop, credentials()) : stop;
  };
  const grants = async () => (await gatehouse.database.query('SELECT FROM grants')).length;
  const send = (of: Browser, page: BrowserStop, fields: object, headers = {}) => {
    const form = readForm(page.html);
    const body = new URLSearchParams([
      ...form.hidden.filter(([name]) => !(name in fields)),
      ...Object.entries(fields as Record<string, string>),
    ]);
    const type = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const url = new URL(form.action, page.url).href;
    return of.request(url, { method: 'POST', headers: { ...type, ...headers }, body });
  };

  describe('with a forged host', () => {
    const lies = [
      ['Host', 'evil.example'],
      ['X-Forwarded-Host', 'evil.example'],
      ['X-Forwarded-Proto', 'https'],
      ['X-Forwarded-For', '192.0.2.1'],
      ['Forwarded', 'host=evil.example;proto=https'],
      ['X-Original-URL', '/evil'],
    ] as const;
    const ask = (path: string, [name, value]: readonly [string, string]) => {
      const { hostname, port } = new URL(gatehouse.origin);
      if (name !== 'Host') return sendRaw(gatehouse.origin, { path, headers: [[name, value]] });
      return sendRaw(gatehouse.origin, {
        path: `http://${value}${path}`,
        headers: [['X-Port', `${hostname}:${port}`]],
      });
    };

    it.each(lies)('by %s changes nothing', async (name, value) => {
      const honest = ['X-Nothing', 'x'] as const;
      for (const path of ['/.well-known/openid-configuration', '/api/v1/oauth/jwks']) {
        expect((await ask(path, [name, value])).text).toBe((await ask(path, honest)).text);
      }
      const { pathname, search } = new URL(urlFor());
      const answers = [
        await ask(pathname + search, [name, value]),
        await ask(`${pathname}?client_id=x`, [name, value]),
        await ask('/api/v1/oauth/userinfo', [name, value]),
      ];
      expect(answers.map(({ status }) => status)).toEqual([303, 400, 401]);
      for (const { headers, text } of answers) {
        expect(JSON.stringify(headers) + text).not.toContain('evil');
      }
      expect(String(answers[0]?.headers.location)).toMatch(/^(http:\/\/localhost:3000)?\/login\//);
      expect(String(answers[0]?.headers['set-cookie'])).not.toMatch(/domain=|secure/i);
    });
  });

  describe('with a registered client', () => {
    it('cannot redirect an anonymous browser', async () => {
      const evil = await registerClient(gatehouse, { redirect_uris: ['https://evil.example/x'] });
      const base = { client_id: evil.client_id, redirect_uri: 'https://evil.example/x' };
      for (const more of [{}, { scope: 'x' }, { response_type: 'x' }, { code_challenge: '' }]) {
        const stop = await browser.open(urlFor({ ...base, ...more }));
        expect(new URL(stop.url).origin).toBe(issuer);
        expect(stop.headers.get('Refresh')).toBeNull();
        expect(stop.html).not.toMatch(/http-equiv|href="https:\/\/evil/);
      }
    });

    it('cannot redeem another client’s code', async () => {
      const form = await getCodeForm(gatehouse, { client, user });
      const evil = await registerClient(gatehouse);
      const { verifier } = createPkce();
      for (const stolen of [
        { client_id: evil.client_id },
        { code_verifier: verifier },
        { code_verifier: '' },
      ]) {
        const answer = await post(gatehouse, 'token', { ...form, ...stolen });
        await expectOAuthError(answer, 400, 'invalid_grant');
      }
      expect((await post(gatehouse, 'token', form)).status).toBe(200);
    });

    it('cannot inject markup into pages', async () => {
      const script = `"><script>alert(1)</script><img src=x onerror=alert(1)>`;
      client = await registerClient(gatehouse, {
        client_name: script,
        client_uri: 'https://evil.example/"><script>',
      }).catch(() => registerClient(gatehouse, { client_name: script }));
      const login = await browser.open(urlFor({ login_hint: script, state: script }));
      const consent = await browser.submit(login, credentials());
      const back = createBrowser({ origin: gatehouse.origin, issuer });
      const error = await back.open(urlFor({ response_type: script, scope: script }));
      for (const { html } of [login, consent, error]) {
        expect(html).toContain('<main>');
        expect(html).not.toMatch(/<script>|<img/i);
      }
      expect(consent.html).toContain('&lt;script');
    });
  });

  describe('a site that frames pages', () => {
    it('is refused by every page', async () => {
      const login = await browser.open(urlFor());
      const refused = await browser.submit(login, { ...credentials(), password: 'wrong' });
      const consent = await browser.submit(login, credentials());
      const error = await browser.open(urlFor({ client_id: 'x' }));
      const gone = await browser.open(`${issuer}/login/x`);
      expect(refused.status).toBe(422);
      for (const { headers, url } of [login, refused, consent, error, gone]) {
        const policy = headers.get('Content-Security-Policy') ?? '';
        expect({ url, policy }).toEqual({
          url,
          policy: expect.stringContaining("default-src 'none'"),
        });
        expect(policy).toContain("frame-ancestors 'none'");
        expect(policy).toContain("base-uri 'none'");
        expect(policy).not.toContain('unsafe');
        expect(headers.get('X-Frame-Options')).toBe('DENY');
        expect(headers.get('X-Content-Type-Options')).toBe('nosniff');
        expect(headers.get('Cache-Control')).toContain('no-store');
      }
      // Browsers apply form-action to every redirect that follows a form, including the client's own.
      for (const { headers } of [login, refused, consent]) {
        expect(headers.get('Content-Security-Policy')).not.toContain('form-action');
      }
      for (const { headers } of [error, gone]) {
        expect(headers.get('Content-Security-Policy')).toContain("form-action 'self';");
      }
    });
  });

  describe('a site that forges a form', () => {
    const forgeries: [string, object, object][] = [
      ['without a token', { csrf: '' }, {}],
      ['with a forged token', { csrf: 'x'.repeat(43) }, {}],
      ['from another origin', {}, { Origin: 'https://evil.example' }],
      ['from no origin', {}, { Origin: 'null' }],
      ['from another site', {}, { 'Sec-Fetch-Site': 'cross-site' }],
    ];

    it.each(forgeries)('%s is refused at sign-in and consent', async (_name, fields, headers) => {
      const login = await browser.open(urlFor());
      const signIn = await send(browser, login, { ...credentials(), ...fields }, headers);
      expect(signIn.status).toBe(403);
      const page = await openConsent(browser);
      const before = await grants();
      const consent = { decision: 'approve', scope: 'contacts:read', ...fields };
      expect((await send(browser, page, consent, headers)).status).toBe(403);
      expect(await grants()).toBe(before);
    });

    it('with the CSRF token of another browser is refused', async () => {
      const theirs = createBrowser({ origin: gatehouse.origin, issuer });
      const own = readForm((await theirs.open(urlFor())).html);
      const csrf = own.hidden.find(([name]) => name === 'csrf')?.[1] ?? '';
      const login = await browser.open(urlFor());
      expect((await send(browser, login, { ...credentials(), csrf })).status).toBe(403);
    });
  });

  describe('with the path of another browser’s authorization', () => {
    it('sees neither sign-in nor consent page', async () => {
      const login = await browser.open(urlFor());
      const consent = await browser.submit(login, credentials());
      const theirs = createBrowser({ origin: gatehouse.origin, issuer });
      await authorize(gatehouse, { client, user: mallory, browser: theirs });
      for (const { url } of [login, consent]) {
        const stop = await theirs.open(url);
        expect(stop.status).toBe(404);
        expect(stop.headers.get('Content-Type')).toBe('text/html; charset=utf-8');
        expect(stop.html).not.toContain(user.email);
      }
      const before = await grants();
      const own = await openConsent(theirs);
      const csrf = readForm(own.html).hidden.find(([name]) => name === 'csrf')?.[1] ?? '';
      const stolen = await send(theirs, consent, { decision: 'approve', scope: 'x', csrf });
      expect(stolen.status).toBe(404);
      const uid = new URL(consent.url).pathname.split('/')[2] ?? '';
      const resumed = await theirs.open(`${issuer}/api/v1/oauth/authorize/${uid}`);
      expect([400, 404]).toContain(resumed.status);
      expect(await grants()).toBe(before);
    });

    it('cannot have a page decided by an account that signed in since', async () => {
      const page = await openConsent(browser);
      const stop = await browser.open(urlFor({ prompt: 'login' }));
      await browser.submit(stop, { email: mallory.email, password: PASSWORD });
      const before = await grants();
      const answer = await send(browser, page, { decision: 'approve', scope: 'contacts:read' });
      expect(answer.status).toBe(404);
      expect(await grants()).toBe(before);
    });
  });

  describe('a host that plants cookies', () => {
    const session = () =>
      [...browser.cookies].find(([name]) => /^(__Host-)?gatehouse_session /.test(name));

    it('does not share the session of a user who signs in with them', async () => {
      const login = await browser.open(urlFor());
      const planted = session()?.[1];
      await browser.submit(login, credentials());
      expect(session()?.[1]).toMatch(/./);
      expect(session()?.[1]).not.toBe(planted);
      if (planted === undefined) return;
      const theirs = createBrowser({ origin: gatehouse.origin, issuer });
      for (const [name, value] of browser.cookies) theirs.cookies.set(name, value);
      theirs.cookies.set('gatehouse_session /', planted);
      expect(new URL((await theirs.open(urlFor())).url).pathname).toMatch(/^\/login/);
    });

    it('is refused without a valid signature', async () => {
      await authorize(gatehouse, { client, user, browser });
      const theirs = createBrowser({ origin: gatehouse.origin, issuer });
      for (const [name, value] of browser.cookies) {
        if (!name.includes('.sig')) theirs.cookies.set(name, value);
      }
      expect(new URL((await theirs.open(urlFor())).url).pathname).toMatch(/^\/login/);
    });

    it('cannot use the cookies from scripts or other sites', async () => {
      const answer = await browser.request(urlFor());
      const login = await browser.request(answer.headers.get('Location') ?? '');
      const lines = [...answer.headers.getSetCookie(), ...login.headers.getSetCookie()];
      expect(lines.length).toBeGreaterThan(0);
      for (const line of lines) expect(line).toMatch(/; *httponly/i);
      for (const line of lines) expect(line).toMatch(/; *samesite=lax/i);
    });
  });

  it('finds no secret in any URL, nor in the log', async () => {
    const address = freshAddress();
    const form = await getCodeForm(gatehouse, { client, user });
    await post(gatehouse, 'token', form, { 'X-Forwarded-For': address });
    const log = gatehouse.logged.join('\n');
    for (const secret of [form['code'] ?? '', form['code_verifier'] ?? '', PASSWORD]) {
      expect(log).not.toContain(secret);
    }
    for (const [, value] of browser.cookies) expect(log).not.toContain(value);
  });
});

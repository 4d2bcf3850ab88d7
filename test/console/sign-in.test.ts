import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTestApp } from '../support/app/app.js';
import {
  cookieOf,
  csrfOf,
  csrfOfForm,
  newBrowser,
  postForm,
  signIn,
  whoIs,
} from '../support/browser/console.js';
import {
  authorize,
  authorizeUrl,
  createPkce,
  createUser,
  mainOf,
  PASSWORD,
  readForm,
  registerClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const SESSION = 'gatehouse_session';

const gatehouse = useGatehouse();
let tenant: Tenant;
let ada: TestUser;
let ben: TestUser;
beforeAll(async () => {
  tenant = await gatehouse.createTenant('acme');
  ada = await createUser(gatehouse, [[tenant, 'manager']]);
  ben = await createUser(gatehouse, [[tenant, 'member']]);
});
beforeEach(() => gatehouse.database.query('DELETE FROM attempts'));

const open = () => newBrowser(gatehouse);
const signedIn = async (user = ada) => {
  const browser = open();
  const page = await signIn(browser, user);
  return { browser, csrf: csrfOf(page) };
};

describe('a forgotten password on a server that sends no mail', () => {
  it('is said to need help, without a form, whether an account has the address or not', async () => {
    const browser = open();
    const page = mainOf(await browser.open('/forgot-password'));
    expect(page).toContain('This server sends no mail');
    expect(page).toMatch(/administrator of your organization.*accounts set-password/s);
    expect(page).not.toMatch(/<form|<input/);
    const csrf = csrfOfForm(await browser.open('/login'));
    for (const email of [ada.email, 'nobody@example.com', 'no address']) {
      const answer = await postForm(browser, '/forgot-password', { csrf, email });
      expect(await answer.text()).toContain(page);
    }
    const kept = 'SELECT 1 FROM outgoing_mail UNION ALL SELECT 1 FROM attempts';
    expect(await gatehouse.database.query(kept)).toEqual([]);
  });
});

describe('an anonymous visitor of the settings area', () => {
  it.each(['/settings/tokens', '/settings/tokens?tenant=acme', '/settings/api-keys'])(
    'is redirected to the login page, and back: %s',
    async (path) => {
      const browser = open();
      const answer = await browser.request(path);
      expect(answer.status).toBe(303);
      expect(answer.headers.get('Location')).toBe(`/login?return_to=${encodeURIComponent(path)}`);

      const login = await browser.open(path);
      const page = await browser.submit(login, { email: ada.email, password: PASSWORD });
      expect(page.url).toBe(gatehouse.config.ISSUER + path);
    },
  );

  it('is redirected for a form of an ended session too, and nothing is done', async () => {
    const browser = open();
    const answer = await postForm(browser, '/settings/tokens/new?tenant=acme', { name: 'x' });
    expect(answer.status).toBe(303);
    expect(answer.headers.get('Location')).toMatch(/^\/login\?return_to=/);
  });

  it('gets 404 for a path that only begins like a page', async () => {
    for (const path of ['/settings2', '/settingsx/api-keys', '/login2']) {
      expect((await open().request(path)).status).toBe(404);
    }
  });

  it('gets 404 for an unknown page only after the sign-in', async () => {
    const { browser } = await signedIn();
    const page = await browser.open('/settings/nothing');
    expect(page.status).toBe(404);
    expect(mainOf(page)).toContain('<h1>Page not found</h1>');
    expect(page.html).toContain('Sign out');
  });
});

describe('a sign-in', () => {
  it('leads to the first page of the role without a return path', async () => {
    expect((await signIn(open(), ada)).url).toMatch(/\/settings\/[\w-]+\?tenant=acme&env=live$/);
  });

  it('shares its session with apps', async () => {
    const client = await registerClient(gatehouse);
    const first = open();
    await authorize(gatehouse, { client, user: ada, browser: first });
    expect(await whoIs(first)).toBe(ada.email);

    const { browser } = await signedIn(ben);
    const { challenge } = createPkce();
    const url = authorizeUrl(gatehouse.config.ISSUER, {
      client_id: client.client_id,
      code_challenge: challenge,
    });
    const consent = await browser.open(url);
    expect(new URL(consent.url).pathname).toMatch(/^\/consent\//);
    expect(consent.html).toContain(ben.email);
  });

  it('answers the same for an unknown address and a wrong password', async () => {
    const answers = await Promise.all(
      [ada, { ...ada, email: 'nobody@example.com' }].map(async (user) => {
        const browser = open();
        const page = await signIn(browser, user, { password: 'wrong' });
        expect(cookieOf(browser, SESSION)).toBeUndefined();
        return `${page.status} ${/role="alert">([^<]*)</.exec(page.html)?.[1]}`;
      }),
    );
    expect(answers).toEqual(Array(2).fill('422 The email address or the password is incorrect.'));
  });

  it('counts wrong passwords together with those of app sign-ins', async () => {
    const client = await registerClient(gatehouse);
    const browser = open();
    const forAnApp = await browser.open(
      authorizeUrl(gatehouse.config.ISSUER, {
        client_id: client.client_id,
        code_challenge: createPkce().challenge,
      }),
    );
    const wrong = { email: ada.email, password: 'wrong' };
    for (let count = 0; count < 5; count += 1) {
      expect((await browser.submit(forAnApp, wrong)).status).toBe(422);
      expect((await signIn(browser, ada, { password: 'wrong' })).status).toBe(422);
    }
    const throttled = await signIn(browser, ada);
    expect(throttled.status).toBe(429);
    expect(Number(throttled.headers.get('Retry-After'))).toBeGreaterThan(0);
    expect(cookieOf(browser, SESSION)).toBeUndefined();
  });

  it('keeps the return path after a wrong password', async () => {
    const browser = open();
    const returnTo = '/settings/tokens?tenant=acme';
    const wrong = await signIn(browser, ada, { returnTo, password: 'wrong' });
    const page = await browser.submit(wrong, { email: ada.email, password: PASSWORD });
    expect(page.url).toBe(gatehouse.config.ISSUER + returnTo);
  });

  it('sets a signed HttpOnly SameSite cookie', async () => {
    const browser = open();
    const page = await browser.open('/login');
    const fields = { csrf: readForm(page.html).hidden[0]?.[1] ?? '', email: ada.email };
    const answer = await postForm(browser, '/login', { ...fields, password: PASSWORD });
    expect(answer.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^gatehouse_device=[\w-]{22}\.\d{10}\.[0-9a-f]{64}; path=\/; expires=.*GMT; samesite=lax; httponly$/,
      ),
      expect.stringMatching(
        /^gatehouse_session=[\w-]{43}; path=\/; expires=.*GMT; samesite=lax; httponly$/,
      ),
      expect.stringMatching(
        /^gatehouse_session\.sig=\w{64}; path=\/; expires=.*GMT; samesite=lax; httponly$/,
      ),
    ]);
  });

  it('records its address, as an app sign-in does', async () => {
    const { browser } = await signedIn();
    const rows = await gatehouse.database.query(
      'SELECT address, user_agent FROM sessions WHERE digest = ANY ($1)',
      [gatehouse.keyring.digests(cookieOf(browser, SESSION) ?? '')],
    );
    expect(rows).toEqual([{ address: '127.0.0.1', user_agent: 'node' }]);
  });
});

describe('a browser without cookies', () => {
  it('is told to allow them, and keeps the email', async () => {
    const returnTo = '/settings/tokens?tenant=acme';
    const path = `/login?return_to=${encodeURIComponent(returnTo)}`;
    for (let count = 0; count < 2; count += 1) {
      const browser = open();
      const csrf = readForm((await browser.open(path)).html).hidden[0]?.[1] ?? '';
      browser.cookies.clear();
      const answer = await postForm(browser, path, { csrf, email: ada.email, password: PASSWORD });
      const html = await answer.text();
      expect(answer.status).toBe(403);
      expect(html).toContain('Your browser has to accept cookies from localhost:3000 to sign in.');
      expect(html).not.toContain('too long');
      expect(html).toContain(`value="${ada.email}"`);
      expect(html).not.toContain(PASSWORD);
      expect(cookieOf(browser, SESSION)).toBeUndefined();

      // Once they are allowed, the same page signs in.
      const retry = {
        url: gatehouse.config.ISSUER + path,
        status: 403,
        html,
        headers: answer.headers,
      };
      const page = await browser.submit(retry, { email: ada.email, password: PASSWORD });
      expect(page.url).toBe(gatehouse.config.ISSUER + returnTo);
    }
  });

  it('is told to allow them by an app sign-in', async () => {
    const client = await registerClient(gatehouse);
    const { challenge } = createPkce();
    const url = authorizeUrl(gatehouse.config.ISSUER, {
      client_id: client.client_id,
      code_challenge: challenge,
    });
    const browser = open();
    const location = (await browser.request(url)).headers.get('Location') ?? '';
    browser.cookies.clear();
    const page = await browser.open(location);
    expect(page.status).toBe(404);
    expect(mainOf(page)).toContain('Your browser has to accept cookies from this site.');
  });
});

describe('a login page that was open for too long', () => {
  it('is shown again with the email, and then signs in', async () => {
    const browser = open();
    const page = await browser.open('/login');
    for (const name of browser.cookies.keys()) browser.cookies.set(name, 'A'.repeat(43));
    const again = await browser.submit(page, { email: ada.email, password: PASSWORD });
    expect(again.status).toBe(403);
    expect(mainOf(again)).toContain('This page was open for too long.');
    const next = await browser.submit(again, { email: ada.email, password: PASSWORD });
    expect(new URL(next.url).pathname).toMatch(/^\/settings\/[\w-]+$/);
  });
});

describe('a session that has ended', () => {
  it('is stated by the login page, which keeps the return path', async () => {
    const { browser } = await signedIn();
    await gatehouse.database.query('UPDATE sessions SET expires_at = gatehouse_now()');
    const path = '/settings/tokens?tenant=acme';
    const login = await browser.open(path);
    expect(mainOf(login)).toContain('Your session has ended.');
    const page = await browser.submit(login, { email: ada.email, password: PASSWORD });
    expect(page.url).toBe(gatehouse.config.ISSUER + path);

    await postForm(browser, '/logout', { csrf: csrfOf(page) });
    for (const visitor of [browser, open()]) {
      expect(mainOf(await visitor.open('/login'))).not.toContain('has ended');
    }
    const forged = open();
    forged.cookies.set(`${SESSION} /`, 'a'.repeat(43));
    expect(mainOf(await forged.open('/login'))).not.toContain('has ended');
  });
});

describe('over https', () => {
  it('the cookie is for this host and https only', async () => {
    const secure = await createTestApp({ ISSUER: 'https://auth.example.com' });
    const user = await createUser(secure, [[await secure.createTenant('acme'), 'member']]);
    const browser = newBrowser(secure);
    await signIn(browser, user);
    expect(cookieOf(browser, `__Host-${SESSION}`)).toMatch(/^[\w-]{43}$/);
    expect(await whoIs(browser)).toBe(user.email);
    await secure.close();
  });
});

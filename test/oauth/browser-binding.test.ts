import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { createCookieSigner } from '../../src/oauth/library/provider.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { csrfOfForm, postForm, whoIs } from '../support/browser/console.js';
import {
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  mainOf,
  PASSWORD,
  registerClient,
  type Browser,
  type BrowserStop,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const ISSUER = 'https://auth.example.com';
const AUTHORIZE = '/api/v1/oauth/authorize';

const gatehouse = useGatehouse({ ISSUER });
let tenants: readonly Tenant[];
let client: TestClient;
let victim: TestUser;
let mallory: TestUser;
let hers: Browser;
let his: Browser;
beforeAll(async () => {
  tenants = [await gatehouse.createTenant('one'), await gatehouse.createTenant('two')];
  client = await registerClient(gatehouse);
  const memberships = tenants.map((tenant) => [tenant, 'manager'] as const);
  victim = await createUser(gatehouse, memberships);
  mallory = await createUser(gatehouse, memberships);
});
beforeEach(() => {
  hers = newBrowser();
  his = newBrowser();
});

const newBrowser = () => createBrowser({ origin: gatehouse.origin, issuer: ISSUER });
const begin = (browser: Browser) =>
  browser.open(
    authorizeUrl(ISSUER, {
      client_id: client.client_id,
      code_challenge: createPkce().challenge,
      prompt: 'consent',
    }),
  );
const uidOf = ({ url }: BrowserStop) => new URL(url).pathname.split('/')[2] ?? '';
const sendSignIn = (browser: Browser, page: BrowserStop, user: TestUser) =>
  postForm(browser, new URL(page.url).pathname, {
    csrf: csrfOfForm(page),
    email: user.email,
    password: PASSWORD,
  });
const signIn = (browser: Browser, page: BrowserStop, user: TestUser) =>
  browser.submit(page, { email: user.email, password: PASSWORD });

/** Every cookie of a browser that a host under the same domain could set in another. */
function plant(from: Browser, into: Browser, uid: string): void {
  const planted = new Map([...from.cookies].filter(([name]) => !name.startsWith('__Host-')));
  // The cookies by which the library would find the request, as if we had signed them.
  const { sign } = createCookieSigner(gatehouse.keyring);
  for (const name of ['gatehouse_interaction', 'gatehouse_resume']) {
    for (const path of ['/', '/login', '/consent', `${AUTHORIZE}/${uid}`]) {
      planted.set(`${name} ${path}`, uid);
      planted.set(`${name}.sig ${path}`, sign(`${name}=${uid}`));
    }
  }
  const own = [...into.cookies];
  into.cookies.clear();
  // First, as a cookie with a longer path or an earlier date is sent.
  for (const [name, value] of [...planted, ...own]) into.cookies.set(name, value);
}

/** A page that nobody gets further from: ours, and without a redirect or a session. */
async function expectRefused(answer: Response, words: string): Promise<void> {
  expect(answer.status).toBe(404);
  expect(answer.headers.get('Location')).toBeNull();
  expect(answer.headers.getSetCookie().join()).not.toContain('session');
  expect(answer.headers.get('Content-Security-Policy')).toContain("default-src 'none'");
  const html = await answer.text();
  expect(mainOf({ html })).toContain(words);
  expect(html).not.toContain(victim.email);
  expect(html).not.toContain(mallory.email);
}

const NO_COOKIE =
  'Your browser has to accept cookies from this site. Allow them, then go back to the app and start again.';
const OF_ANOTHER = 'was started in another browser. Go back to the app and start again.';

describe('a browser with cookies set by another host', () => {
  it('does not sign a user in to the attacker’s authorization', async () => {
    const login = await begin(his);
    const uid = uidOf(login);
    const own = await begin(hers);
    plant(his, hers, uid);

    await expectRefused(await hers.request(`/login/${uid}`), OF_ANOTHER);
    await expectRefused(await sendSignIn(hers, { ...own, url: login.url }, victim), OF_ANOTHER);
    const resumed = await his.request(`${AUTHORIZE}/${uid}`);
    expect(resumed.headers.get('Location')).toMatch(/^\/login\//);
    expect(await whoIs(his)).toBeUndefined();

    // Nothing of either request is lost.
    const hersOn = await signIn(hers, own, victim);
    expect(hersOn.html).toContain(victim.email);
    expect((await signIn(his, login, mallory)).html).toContain(mallory.email);
  });

  it('is not signed in as the attacker', async () => {
    const login = await begin(his);
    const uid = uidOf(login);
    expect((await sendSignIn(his, login, mallory)).status).toBe(303);
    await begin(hers);
    plant(his, hers, uid);

    await expectRefused(await hers.request(`${AUTHORIZE}/${uid}`), OF_ANOTHER);
    expect(await whoIs(hers)).toBeUndefined();
    const answer = await his.request(`${AUTHORIZE}/${uid}`);
    expect(answer.headers.get('Location')).toMatch(/^\/consent\//);
  });

  it('does not get the response of another browser', async () => {
    const login = await begin(his);
    const uid = uidOf(login);
    await signIn(his, login, mallory);
    await begin(hers);
    plant(his, hers, uid);
    await expectRefused(await hers.request(`${AUTHORIZE}/${uid}`), OF_ANOTHER);
  });

  it.each(['consent', 'choice of a tenant'])(
    'neither sees nor answers the attacker’s %s',
    async (page) => {
      const choice = await signIn(his, await begin(his), mallory);
      const tenantId = tenants[0]?.id ?? '';
      const asked = page === 'consent' ? await his.submit(choice, { tenant_id: tenantId }) : choice;
      const own = await signIn(hers, await begin(hers), victim);
      plant(his, hers, uidOf(asked));
      const fields = page === 'consent' ? { decision: 'approve', scope: 'contacts:read' } : {};

      const { pathname, search } = new URL(asked.url);
      await expectRefused(await hers.request(pathname + search), OF_ANOTHER);
      const form = { csrf: csrfOfForm(own), tenant_id: tenantId, ...fields };
      await expectRefused(await postForm(hers, pathname, form), OF_ANOTHER);
      const done = await his.submit(asked, { tenant_id: tenantId, ...fields });
      expect(done.status).toBeLessThan(400);
    },
  );

  it('is not recognized by a cookie without the prefix, nor in another spelling', async () => {
    const login = await begin(his);
    const uid = uidOf(login);
    const [name = '', value = ''] =
      [...his.cookies].find(([key]) => key.startsWith('__Host-gatehouse_browser_')) ?? [];
    const bare = name.split(' ')[0] ?? '';
    for (const spelling of [
      bare.replace('__Host-', ''),
      bare.replace('__Host-', '__HOST-'),
      bare.replace('__Host-', '__Secure-'),
      `\t${bare}`,
      `x=1,${bare}`,
      bare.slice(0, -9),
    ]) {
      const answer = await fetch(`${gatehouse.origin}/login/${uid}`, {
        headers: { Cookie: `a=b; ${spelling}=${value}` },
      });
      expect({ spelling, status: answer.status }).toEqual({ spelling, status: 404 });
    }
    expect((await his.request(`/login/${uid}`)).status).toBe(200);
  });
});

describe('a browser', () => {
  it('works in several tabs, also if they open at once before the first cookie', async () => {
    const pages = await Promise.all([begin(hers), begin(hers), begin(hers)]);
    for (const page of pages) {
      expect((await hers.request(new URL(page.url).pathname)).status).toBe(200);
    }
    const [first, second, third] = pages as [BrowserStop, BrowserStop, BrowserStop];
    expect((await signIn(hers, first, victim)).html).toContain(victim.email);
    expect((await signIn(hers, third, victim)).html).toContain(victim.email);
    expect((await signIn(hers, second, victim)).html).toContain(victim.email);
  });

  it('gets one cookie, for this host only, before a sign-in', async () => {
    const answer = await hers.request(
      authorizeUrl(ISSUER, {
        client_id: client.client_id,
        code_challenge: createPkce().challenge,
      }),
    );
    expect(answer.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^__Host-gatehouse_browser_[0-9a-f]{8}=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
      ),
    ]);
    const login = await hers.request(answer.headers.get('Location') ?? '');
    expect(login.headers.getSetCookie()).toEqual([]);
  });

  it('leaves nothing in the database that could impersonate it', async () => {
    const login = await begin(hers);
    const [[, secret = ''] = []] = hers.cookies;
    const rows = JSON.stringify(await gatehouse.database.query('SELECT * FROM oauth_artifacts'));
    expect(secret).toHaveLength(43);
    expect(rows).not.toContain(secret);
    expect(rows).not.toContain(uidOf(login));
  });
});

describe('a browser without cookies', () => {
  it('is told to accept them: on the page, at the form and at the resume', async () => {
    const login = await begin(hers);
    const { pathname } = new URL(login.url);
    const csrf = csrfOfForm(login);
    hers.cookies.clear();

    await expectRefused(await hers.request(pathname), NO_COOKIE);
    await expectRefused(await hers.request(`${AUTHORIZE}/${uidOf(login)}`), NO_COOKIE);
    const fields = { csrf, email: victim.email, password: PASSWORD };
    const answer = await postForm(hers, pathname, fields);
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain('has to accept cookies');
  });

  it('is told to accept them by the console’s login page too', async () => {
    const page = await hers.open('/login');
    hers.cookies.clear();
    const fields = { csrf: csrfOfForm(page), email: victim.email, password: PASSWORD };
    const answer = await postForm(hers, '/login', fields);
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain('has to accept cookies');
  });

  it('is told that an unknown page has expired', async () => {
    await begin(hers);
    await expectRefused(await hers.request('/login/nothing'), 'This page has expired.');
  });
});

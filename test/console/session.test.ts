import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import {
  cookieOf,
  copyOf,
  csrfOf,
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

describe('a session', () => {
  it('never continues a planted session', async () => {
    const attacker = open();
    await signIn(attacker, ben);
    const victim = copyOf(attacker, gatehouse);
    await signIn(victim, ada);

    expect(cookieOf(victim, SESSION)).not.toBe(cookieOf(attacker, SESSION));
    expect(await whoIs(victim)).toBe(ada.email);
    expect(await whoIs(attacker)).toBeUndefined();
  });

  it('gets a new secret with each sign-in, and the old one is refused', async () => {
    const { browser } = await signedIn();
    const copy = copyOf(browser, gatehouse);
    await signIn(browser, ada);

    expect(await whoIs(browser)).toBe(ada.email);
    expect(await whoIs(copy)).toBeUndefined();
  });

  it('is deleted when another account signs in', async () => {
    const client = await registerClient(gatehouse);
    const browser = open();
    await authorize(gatehouse, { client, user: ada, browser });
    const nameOf = async () => {
      const [row] = await gatehouse.database.query<{ id: string; payload: object }>(
        'SELECT id, payload FROM sessions WHERE digest = ANY ($1)',
        [gatehouse.keyring.digests(cookieOf(browser, SESSION) ?? '')],
      );
      return row;
    };
    const before = await nameOf();
    expect(JSON.stringify(before?.payload)).toContain(client.client_id);
    await signIn(browser, ben);
    const after = await nameOf();
    expect(after?.id).not.toBe(before?.id);
    expect(JSON.stringify(after?.payload)).not.toContain(client.client_id);
    expect(await whoIs(browser)).toBe(ben.email);
  });

  it('with an unknown secret is not a session, nor one that is made of one', async () => {
    const browser = open();
    const secret = 'a'.repeat(43);
    browser.cookies.set(`${SESSION} /`, secret);
    expect(await whoIs(browser)).toBeUndefined();
    browser.cookies.set(`${SESSION}.sig /`, gatehouse.keyring.sign(`cookie ${SESSION}=${secret}`));
    expect(await whoIs(browser)).toBeUndefined();
    await signIn(browser, ada);
    expect(cookieOf(browser, SESSION)).not.toBe(secret);
  });

  it('ends when its account is revoked', async () => {
    const carol = await createUser(gatehouse, [[tenant, 'member']]);
    const { browser } = await signedIn(carol);
    const { createRevocationStore } =
      await import('../../src/credentials/revocation/revocation-store.js');
    await gatehouse.dataSource.transaction((manager) =>
      createRevocationStore(manager).revoke(carol.id, 'operator', null),
    );
    expect(await whoIs(browser)).toBeUndefined();
  });
});

describe('a sign-out', () => {
  it('ends the session for every copy of its cookie, and leads to the login page', async () => {
    const { browser, csrf } = await signedIn();
    const copy = copyOf(browser, gatehouse);
    const answer = await postForm(browser, '/logout', { csrf });

    expect(answer.status).toBe(303);
    expect(answer.headers.get('Location')).toBe('/login');
    expect(cookieOf(browser, SESSION)).toBeUndefined();
    expect(cookieOf(browser, `${SESSION}.sig`)).toBeUndefined();
    expect(await whoIs(copy)).toBeUndefined();
  });

  it('ends the session of apps too', async () => {
    const client = await registerClient(gatehouse);
    const { browser, csrf } = await signedIn();
    await postForm(browser, '/logout', { csrf });
    const url = authorizeUrl(gatehouse.config.ISSUER, {
      client_id: client.client_id,
      code_challenge: createPkce().challenge,
    });
    expect(new URL((await browser.open(url)).url).pathname).toMatch(/^\/login\//);
  });

  it('needs a form', async () => {
    const { browser } = await signedIn();
    const page = await browser.open('/logout');
    expect(page.status).toBe(405);
    expect(page.headers.get('Content-Type')).toBe('text/html; charset=utf-8');
    expect(await whoIs(browser)).toBe(ada.email);
  });

  it('twice is not an error', async () => {
    const { browser, csrf } = await signedIn();
    await postForm(browser, '/logout', { csrf });
    expect((await postForm(browser, '/logout', { csrf })).status).toBe(303);
  });
});

describe('another site', () => {
  const HEADERS = [
    {},
    { Origin: 'https://evil.example' },
    { Origin: 'null' },
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
  ];

  it('cannot sign a visitor in, also with the CSRF token of its own browser', async () => {
    const attacker = open();
    const theirs = readForm((await attacker.open('/login')).html).hidden[0]?.[1] ?? '';
    const fields = { email: ben.email, password: PASSWORD };
    for (const csrf of ['', theirs]) {
      const victim = open();
      const mine = readForm((await victim.open('/login')).html).hidden[0]?.[1] ?? '';
      for (const headers of HEADERS) {
        const answer = await postForm(victim, '/login', { ...fields, csrf }, headers);
        expect(answer.status).toBe(403);
        expect(answer.headers.get('Content-Type')).toBe('text/html; charset=utf-8');
      }
      // Even with the token, as if it had leaked.
      for (const headers of HEADERS.slice(1)) {
        const sent = { ...fields, csrf: mine };
        expect((await postForm(victim, '/login', sent, headers)).status).toBe(403);
      }
      expect(cookieOf(victim, SESSION)).toBeUndefined();
    }
  });

  it('cannot sign a visitor out', async () => {
    const { browser, csrf } = await signedIn();
    for (const headers of HEADERS) {
      expect((await postForm(browser, '/logout', {}, headers)).status).toBe(403);
    }
    for (const headers of HEADERS.slice(1)) {
      expect((await postForm(browser, '/logout', { csrf }, headers)).status).toBe(403);
    }
    expect(await whoIs(browser)).toBe(ada.email);
  });

  it('cannot frame pages, and pages are not stored and run no scripts', async () => {
    const { browser } = await signedIn();
    const answers = [
      await open().request('/login'),
      await browser.request('/settings/tokens'),
      await browser.request('/settings/nothing'),
      await browser.request('/logout'),
      await postForm(browser, '/login', {}),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 405, 403]);
    for (const { headers, url } of answers) {
      const policy = headers.get('Content-Security-Policy') ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      const isSignIn = new URL(url).pathname === '/login';
      expect(policy.includes("form-action 'self';")).toBe(!isSignIn);
      expect(policy.includes('form-action')).toBe(!isSignIn);
      expect(policy).not.toContain('unsafe');
      expect(headers.get('X-Frame-Options')).toBe('DENY');
      expect(headers.get('Cache-Control')).toBe('no-store');
      expect(headers.get('Access-Control-Allow-Origin')).toBeNull();
    }
  });
});

import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTestApp } from '../support/app/app.js';
import { createCli } from '../support/app/cli.js';
import {
  cookieOf,
  csrfOf,
  newBrowser,
  postForm,
  signIn,
  whoIs,
} from '../support/browser/console.js';
import {
  authorizeUrl,
  createPkce,
  createUser,
  mainOf,
  PASSWORD,
  readForm,
  registerClient,
  type Browser,
  type TestUser,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const DEVICE = 'gatehouse_device';
const WRONG = { password: 'not the password' };

const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
let tenant: Tenant;
let ada: TestUser;
let addresses = 0;
beforeAll(async () => {
  tenant = await gatehouse.createTenant('acme');
});
beforeEach(async () => {
  await gatehouse.database.shiftClock('0');
  await gatehouse.database.query('DELETE FROM attempts');
  ada = await createUser(gatehouse, [[tenant, 'manager']]);
});

/** A browser that has the login page open; its address changes with each request. */
async function atLogin(browser: Browser = newBrowser(gatehouse)) {
  const page = await browser.open('/login');
  const csrf = readForm(page.html).hidden[0]?.[1] ?? '';
  return async (fields: { email?: string; password?: string } = {}) => {
    addresses += 1;
    const headers = { 'X-Forwarded-For': `198.18.${addresses >> 8}.${addresses & 255}` };
    const sent = { csrf, email: ada.email, password: PASSWORD, ...fields };
    return postForm(browser, '/login', sent, headers);
  };
}

/** Uses up the attempts of all unknown browsers on an account. */
async function attack(email = ada.email): Promise<void> {
  const attempt = await atLogin();
  for (let count = 0; count < 50; count += 1) await attempt({ email, ...WRONG });
  expect((await attempt({ email, ...WRONG })).status).toBe(429);
}

/** The same by one attempt, which is then counted 50 times. */
async function exhaust(email = ada.email): Promise<void> {
  await gatehouse.database.query('DELETE FROM attempts');
  const attempt = await atLogin();
  await attempt({ email, ...WRONG });
  await gatehouse.database.query('UPDATE attempts SET times = array_fill(times[1], ARRAY[50])');
  expect((await attempt({ email, ...WRONG })).status).toBe(429);
}

const signedIn = async (user = ada, browser = newBrowser(gatehouse)) => {
  await signIn(browser, user);
  return browser;
};

describe('a browser that signed in to the account before', () => {
  it('signs in while others are throttled, also after a sign-out', async () => {
    const browser = newBrowser(gatehouse);
    const csrf = csrfOf(await signIn(browser, ada));
    await postForm(browser, '/logout', { csrf });
    await attack();

    expect((await (await atLogin())()).status).toBe(429);
    expect((await (await atLogin(browser))()).status).toBe(303);
    expect(await whoIs(browser)).toBe(ada.email);
  });

  it('signs in to an app then too', async () => {
    const { client_id } = await registerClient(gatehouse);
    const url = authorizeUrl(gatehouse.config.ISSUER, {
      client_id,
      code_challenge: createPkce().challenge,
      prompt: 'login',
    });
    const browser = await signedIn();
    await exhaust();
    const page = await browser.submit(await browser.open(url), {
      email: ada.email,
      password: PASSWORD,
    });
    expect(new URL(page.url).pathname).toMatch(/^\/consent\//);
  });

  it('has its own limit of ten wrong passwords in five minutes, from any address', async () => {
    const attempt = await atLogin(await signedIn());
    for (let count = 0; count < 10; count += 1) expect((await attempt(WRONG)).status).toBe(422);
    expect((await attempt()).status).toBe(429);
    expect((await (await atLogin())()).status).toBe(303);
    await gatehouse.database.shiftClock('301 seconds');
    expect((await attempt()).status).toBe(303);
  });

  it('shares the limit with every copy of its cookie, also a renewed one', async () => {
    const browser = await signedIn();
    const copy = newBrowser(gatehouse);
    copy.cookies.set(`${DEVICE} /`, cookieOf(browser, DEVICE) ?? '');
    await signIn(browser, ada);
    const attempts = [await atLogin(browser), await atLogin(copy)];
    for (let count = 0; count < 10; count += 1) await attempts[count % 2]?.(WRONG);
    for (const attempt of attempts) expect((await attempt()).status).toBe(429);
  });

  it('is known to the latest five accounts', async () => {
    const users = [ada];
    for (let count = 0; count < 5; count += 1) {
      users.push(await createUser(gatehouse, [[tenant, 'member']]));
    }
    const browser = newBrowser(gatehouse);
    for (const user of users) await signIn(browser, user);
    expect(cookieOf(browser, DEVICE)?.split('~')).toHaveLength(5);
    expect(cookieOf(browser, DEVICE)?.length).toBeLessThan(600);
    const statuses = [];
    for (const { email } of [users[0], users[1], users[5]].filter((user) => user !== undefined)) {
      await exhaust(email);
      statuses.push((await (await atLogin(browser))({ email })).status);
    }
    expect(statuses).toEqual([429, 303, 303]);
  });
});

describe('the cookie of a known browser', () => {
  const statusWith = async (value: string, email = ada.email) => {
    const browser = newBrowser(gatehouse);
    browser.cookies.set(`${DEVICE} /`, value);
    return (await (await atLogin(browser))({ email })).status;
  };

  it('names no account, and is not valid for another account', async () => {
    const ben = await createUser(gatehouse, [[tenant, 'member']]);
    const cookie = cookieOf(await signedIn(ben), DEVICE) ?? '';
    expect(cookie).not.toContain(ben.id);
    await exhaust();
    expect(await statusWith(cookie)).toBe(429);
    expect(await statusWith(cookie, ben.email)).toBe(303);
  });

  it('is not valid if it was forged, has expired, or the password was replaced', async () => {
    const cookie = cookieOf(await signedIn(), DEVICE) ?? '';
    const [device, expires, mac] = cookie.split('.');
    await exhaust();
    expect(await statusWith(`${device}.${Number(expires) + 1}.${mac}`)).toBe(429);
    expect(await statusWith(`${'A'.repeat(22)}.${expires}.${mac}`)).toBe(429);
    expect(await statusWith(`${device}.${expires}.${'0'.repeat(64)}`)).toBe(429);
    expect(await statusWith('~'.repeat(900))).toBe(429);
    expect(await statusWith(Array(20).fill(cookie).join('~'))).toBe(429);
    expect(await statusWith(cookie)).toBe(303);

    const words = ['accounts', 'set-password', '--email', ada.email, '--password-stdin'];
    await createCli(gatehouse.database)(words, `${PASSWORD}\n`);
    expect(await statusWith(cookie)).toBe(429);
  });

  it('expires after 90 days, by the database’s clock', async () => {
    const cookie = cookieOf(await signedIn(), DEVICE) ?? '';
    for (const [days, status] of [
      [89, 303],
      [91, 429],
    ] as const) {
      await gatehouse.database.shiftClock(`${days} days`);
      await exhaust();
      expect(await statusWith(cookie)).toBe(status);
    }
  });

  it('is not set for a wrong password', async () => {
    const browser = newBrowser(gatehouse);
    await signIn(browser, ada, WRONG);
    expect(cookieOf(browser, DEVICE)).toBeUndefined();
  });

  it('is limited to this host and https if the issuer is https', async () => {
    const secure = await createTestApp({ ISSUER: 'https://auth.example.com' });
    const user = await createUser(secure, [[await secure.createTenant('acme'), 'member']]);
    const browser = newBrowser(secure);
    const page = await browser.open('/login');
    const csrf = readForm(page.html).hidden[0]?.[1] ?? '';
    const answer = await postForm(browser, '/login', {
      csrf,
      email: user.email,
      password: PASSWORD,
    });
    const line = answer.headers.getSetCookie().find((text) => text.includes(DEVICE));
    expect(line).toMatch(/^__Host-gatehouse_device=.*; path=\/; .*samesite=lax; secure; httponly$/);
    await secure.close();
  });
});

describe('many passwords at once', () => {
  it('get a page that asks to try again, beyond a short queue', async () => {
    const attempt = await atLogin();
    const answers = await Promise.all(
      Array.from({ length: 120 }, (_, n) => attempt({ ...WRONG, email: `${n}@example.com` })),
    );
    const busy = answers.filter(({ status }) => status === 503);
    expect(busy.length).toBeGreaterThan(0);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([422, 503]));
    for (const answer of busy) {
      expect(answer.headers.get('Retry-After')).toBe('5');
      expect(answer.headers.get('Content-Type')).toBe('text/html; charset=utf-8');
      expect(mainOf({ html: await answer.text() })).toContain('Many people are signing in');
    }
    // Attempts without a password check do not count.
    const [counted] = await gatehouse.database.query<{ count: number }>(
      `SELECT count(*)::int FROM attempts WHERE bucket LIKE 'sign-in account %' AND cardinality(times) > 0`,
    );
    expect(counted?.count).toBe(2 * (answers.length - busy.length));
  }, 60_000);

  it('leave room in the queue for browsers that signed in before', async () => {
    const browser = await signedIn();
    const [unknown, known] = [await atLogin(), await atLogin(browser)];
    const flood = Array.from({ length: 120 }, (_, n) =>
      unknown({ ...WRONG, email: `${n}@example.com` }),
    );
    expect((await known()).status).toBe(303);
    expect((await Promise.all(flood)).some(({ status }) => status === 503)).toBe(true);
  }, 60_000);
});

describe('refused sign-ins', () => {
  const entries = async (subject: string) => {
    await gatehouse.app.activity.flush();
    return gatehouse.database.query<Record<string, unknown>>(
      `SELECT actor, details, occurrences, tenant_id FROM audit_log
       WHERE action = 'account.sign_in_refused' AND subject = $1 ORDER BY details->>'reason'`,
      [subject],
    );
  };

  it('are one audit entry per account, hour and reason, with a count, and without the password', async () => {
    await attack();
    const found = await entries(ada.id);
    const common = { actor: 'anonymous', tenant_id: null };
    expect(found).toEqual([
      { ...common, details: { reason: 'password' }, occurrences: 50 },
      { ...common, details: { reason: 'throttled' }, occurrences: 1 },
    ]);
    expect(await gatehouse.database.dump()).not.toContain(WRONG.password);
  });

  it('share one entry for all unknown email addresses', async () => {
    const attempt = await atLogin();
    const before = Number((await entries('unknown'))[0]?.['occurrences'] ?? 0);
    for (let n = 0; n < 5; n += 1) await attempt({ ...WRONG, email: `nobody-${n}@example.com` });
    expect(await entries('unknown')).toMatchObject([{ occurrences: before + 5 }]);
  });
});

import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

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
  registerClient,
  type Browser,
  type TestUser,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const SESSION = 'gatehouse_session';
const DAY_MS = 86_400_000;

const gatehouse = useGatehouse();
let tenant: Tenant;
let user: TestUser;
beforeAll(async () => {
  tenant = await gatehouse.createTenant('acme');
});
beforeEach(async () => {
  user = await createUser(gatehouse, [[tenant, 'member']]);
});
afterEach(() => gatehouse.database.shiftClock('0'));

async function signedIn(): Promise<Browser> {
  const browser = newBrowser(gatehouse);
  await signIn(browser, user);
  return browser;
}

const auditOf = (action: string) =>
  gatehouse.database.query<{ actor: string; details: object; address: string; request: string }>(
    `SELECT actor, details, address, request_id AS request FROM audit_log
     WHERE subject = $1 AND action = $2 ORDER BY id`,
    [user.id, action],
  );

/** Requests an authorization without pages, and returns the response to the client. */
async function errorFor(browser: Browser, clientId: string): Promise<string | null> {
  const url = authorizeUrl(gatehouse.config.ISSUER, {
    client_id: clientId,
    code_challenge: createPkce().challenge,
    prompt: 'none',
  });
  return new URL((await browser.open(url)).url).searchParams.get('error');
}

describe('a session', () => {
  it('ends after 14 days without a request', async () => {
    const browser = await signedIn();
    await gatehouse.database.shiftClock('13 days 23 hours');
    expect(await whoIs(copyOf(browser, gatehouse))).toBe(user.email);
    await gatehouse.database.shiftClock('27 days 22 hours');
    expect(await whoIs(browser)).toBe(user.email);
    await gatehouse.database.shiftClock('42 days');
    expect(await whoIs(browser)).toBeUndefined();
  });

  it('ends 90 days after the sign-in, also in constant use', async () => {
    const { client_id } = await registerClient(gatehouse);
    const [browser, forApps] = [await signedIn(), await signedIn()];
    for (let day = 10; day < 90; day += 10) {
      await gatehouse.database.shiftClock(`${day} days`);
      expect(await whoIs(browser)).toBe(user.email);
      expect(await errorFor(forApps, client_id)).toBe('consent_required');
    }
    await gatehouse.database.shiftClock('89 days 23 hours');
    expect(await whoIs(browser)).toBe(user.email);
    await gatehouse.database.shiftClock('90 days 1 minute');
    expect(await whoIs(browser)).toBeUndefined();
    expect(await errorFor(forApps, client_id)).toBe('login_required');
  });

  it('restarts its 90 days when its account signs in again', async () => {
    const browser = await signedIn();
    await gatehouse.database.shiftClock('10 days');
    await signIn(browser, user);
    for (const days of [20, 30, 40, 50, 60, 70, 80, 90, 99]) {
      await gatehouse.database.shiftClock(`${days} days`);
      expect(await whoIs(browser)).toBe(user.email);
    }
    await gatehouse.database.shiftClock('100 days 1 minute');
    expect(await whoIs(browser)).toBeUndefined();
  });

  it('is written at most once in five minutes, and its cookie is renewed with it', async () => {
    const browser = await signedIn();
    const row = async () => {
      const [found] = await gatehouse.database.query<{ xmin: string }>(
        'SELECT xmin::text FROM sessions WHERE account_id = $1',
        [user.id],
      );
      return found?.xmin;
    };
    const before = await row();
    await gatehouse.database.shiftClock('4 minutes');
    expect((await browser.request('/settings/tokens')).headers.getSetCookie().join()).not.toContain(
      SESSION,
    );
    expect(await row()).toBe(before);

    await gatehouse.database.shiftClock('6 minutes');
    const answer = await browser.request('/settings/tokens');
    const cookie = answer.headers.getSetCookie().find((line) => line.startsWith(`${SESSION}=`));
    const expires = Date.parse(/expires=([^;]+)/.exec(cookie ?? '')?.[1] ?? '');
    expect(Math.abs(expires - Date.now() - 14 * DAY_MS)).toBeLessThan(60_000);
    const after = await row();
    expect(after).not.toBe(before);
    await whoIs(browser);
    expect(await row()).toBe(after);
  });

  it('has a cookie that ends with it, near the end of the 90 days', async () => {
    const browser = await signedIn();
    for (const days of [13, 26, 39, 52, 65, 78]) {
      await gatehouse.database.shiftClock(`${days} days`);
      await whoIs(browser);
    }
    await gatehouse.database.shiftClock('88 days');
    const answer = await browser.request('/settings/tokens');
    const cookie = answer.headers.getSetCookie().find((line) => line.startsWith(`${SESSION}=`));
    const expires = Date.parse(/expires=([^;]+)/.exec(cookie ?? '')?.[1] ?? '');
    expect(Math.abs(expires - Date.now() - 2 * DAY_MS)).toBeLessThan(60_000);
  });

  it('ends when the account begins a 51st, the oldest first, also under concurrency', async () => {
    const first = await signedIn();
    const second = await signedIn();
    const fields = (n: number) => ({
      id: `ses-${user.id}-${n}`,
      secret: `secret ${user.id} ${n}`,
      accountId: user.id,
      payload: {},
      address: null,
      userAgent: null,
      ttlSeconds: 3600,
    });
    const { createSessionStore } = await import('../../src/sessions/session-store.js');
    const store = createSessionStore(gatehouse.dataSource.manager, gatehouse.keyring);
    for (let n = 0; n < 47; n += 1) await store.save(fields(n));
    expect(await whoIs(first)).toBe(user.email);

    await Promise.all([47, 48].map((n) => store.save(fields(n))));
    expect(await whoIs(first)).toBeUndefined();
    expect(await whoIs(second)).toBe(user.email);
    const third = await signedIn();
    expect(await whoIs(second)).toBeUndefined();
    expect(await whoIs(third)).toBe(user.email);
    expect(await store.listOfAccount(user.id)).toHaveLength(50);
  });
});

describe('the audit log', () => {
  it('has an entry for each sign-in, with its session, address and request', async () => {
    const browser = newBrowser(gatehouse);
    await signIn(browser, user);
    const [entry, ...others] = await auditOf('account.sign_in');
    expect(others).toEqual([]);
    expect(entry).toEqual({
      actor: user.id,
      details: { session: expect.any(String), method: 'password' },
      address: '127.0.0.1',
      request: expect.stringMatching(/^req_/),
    });
    expect(JSON.stringify(entry)).not.toContain(cookieOf(browser, SESSION));
  });

  it('has one for a sign-in to an app, and no entry for further authorizations', async () => {
    const client = await registerClient(gatehouse);
    const browser = newBrowser(gatehouse);
    await authorize(gatehouse, { client, user, browser });
    await authorize(gatehouse, { client, user, browser });
    expect(await auditOf('account.sign_in')).toMatchObject([{ actor: user.id }]);
  });

  it('has one for a sign-out, not for a second one', async () => {
    const browser = newBrowser(gatehouse);
    const csrf = csrfOf(await signIn(browser, user));
    const copy = copyOf(browser, gatehouse);
    await postForm(browser, '/logout', { csrf });
    await postForm(copy, '/logout', { csrf });
    expect(await auditOf('account.sign_out')).toMatchObject([
      { actor: user.id, address: '127.0.0.1', request: expect.stringMatching(/^req_/) },
    ]);
  });

  it('has one for a session that ends because another account signs in', async () => {
    const browser = await signedIn();
    await signIn(browser, await createUser(gatehouse, [[tenant, 'member']]));
    expect(await auditOf('account.sign_out')).toHaveLength(1);
  });
});

describe('an unknown notice in the query', () => {
  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', 'nothing'])(
    'is not shown: %s',
    async (done) => {
      const page = await (await signedIn()).open(`/settings/tokens?done=${done}`);
      expect(page.status).toBe(200);
      expect(page.html).not.toContain('class="notice');
    },
  );
});

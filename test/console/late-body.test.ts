import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { callApi, csrfOf, newBrowser, postForm, signIn } from '../support/browser/console.js';
import { createUser, type Browser, type TestUser } from '../support/oauth/oauth.js';
import { holdLock, revokeUnder } from '../support/oauth/subject-lock.js';
import { until } from '../support/app/until.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const API = '/api/v1/personal-access-tokens';
const PAGE = '/settings/tokens/new?tenant=acme';
const NEW = { name: 'Late', access: 'read' };

const gatehouse = useGatehouse();
let tenant: Tenant;
let user: TestUser;
let browser: Browser;
let csrf: string;
beforeAll(async () => {
  tenant = await gatehouse.createTenant('acme');
});
beforeEach(async () => {
  user = await createUser(gatehouse, [[tenant, 'member']]);
  browser = newBrowser(gatehouse);
  csrf = csrfOf(await signIn(browser, user));
});

const tokens = () =>
  gatehouse.database.query('SELECT id FROM credentials WHERE principal_id = $1', [user.id]);

/** Sends all but the end of a body, ends the session after its check, and sends the rest. */
async function sendLate(
  path: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  end: () => Promise<unknown>,
): Promise<number | undefined> {
  const { database, dataSource, origin } = gatehouse;
  const cookie = [...browser.cookies].map(([name, value]) => `${name.split(' ')[0]}=${value}`);
  // The request waits for this lock after the check of its session.
  const lock = dataSource.createQueryRunner();
  await lock.startTransaction();
  await lock.query('LOCK TABLE memberships');
  const sent = request(`${origin}${path}`, {
    method: 'POST',
    headers: { ...headers, Cookie: cookie.join('; '), 'Content-Length': body.length },
  });
  sent.write(body.slice(0, 1));
  await until(async () => {
    const waiting = await database.query(
      `SELECT FROM pg_locks WHERE relation = 'memberships'::regclass AND NOT granted`,
    );
    return waiting.length > 0;
  });
  await end();
  await lock.rollbackTransaction();
  await lock.release();
  sent.end(body.slice(1));

  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  answer.resume();
  return answer.statusCode;
}

describe('a request whose body arrives late', () => {
  const signOut = async () => {
    expect((await postForm(browser, '/logout', { csrf })).status).toBe(303);
  };

  it('is refused if its session was ended meanwhile', async () => {
    const headers = { 'X-CSRF-Token': csrf, 'Content-Type': 'application/json' };
    expect(await sendLate(API, headers, JSON.stringify(NEW), signOut)).toBe(401);
    expect(await tokens()).toEqual([]);
  });

  it('is refused on a page too', async () => {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const body = new URLSearchParams({ ...NEW, csrf, expires: '90' }).toString();
    expect(await sendLate(PAGE, headers, body, signOut)).toBe(401);
    expect(await tokens()).toEqual([]);
  });
});

describe('a token that is created while its account is revoked', () => {
  it.each(['the API', 'the page'])('is not created by %s', async (what) => {
    const lock = await holdLock(gatehouse.database, user.id);
    const sent =
      what === 'the page'
        ? postForm(browser, PAGE, { ...NEW, csrf, expires: '90' })
        : callApi(browser, 'POST', API, { 'X-CSRF-Token': csrf }, NEW);
    await lock.awaited();
    await revokeUnder(lock, user.id);
    await lock.release();

    expect((await sent).status).toBe(401);
    expect(await tokens()).toEqual([]);
  });
});

import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createTestApp, type TestApp } from '../support/app.js';
import { csrfOf, newBrowser, postForm, signIn } from '../support/console.js';
import { createUser } from '../support/oauth.js';
import { until } from '../support/until.js';

const BODY = JSON.stringify({ name: 'Late', access: 'read' });

describe('a call whose body comes in later', () => {
  let gatehouse: TestApp;
  beforeAll(async () => {
    gatehouse = await createTestApp();
  });
  afterAll(() => gatehouse.close());

  it('is refused if its session was ended meanwhile', async () => {
    const { database, dataSource, origin } = gatehouse;
    const tenant = await gatehouse.createTenant('acme');
    const browser = newBrowser(gatehouse);
    const csrf = csrfOf(await signIn(browser, await createUser(gatehouse, [[tenant, 'member']])));
    const cookie = [...browser.cookies].map(([name, value]) => `${name.split(' ')[0]}=${value}`);

    // The guard waits for this lock, once it has found the session good.
    const lock = dataSource.createQueryRunner();
    await lock.startTransaction();
    await lock.query('LOCK TABLE memberships');
    const sent = request(`${origin}/api/v1/personal-access-tokens`, {
      method: 'POST',
      headers: {
        ...{ Cookie: cookie.join('; '), 'X-CSRF-Token': csrf },
        ...{ 'Content-Type': 'application/json', 'Content-Length': BODY.length },
      },
    });
    sent.write(BODY.slice(0, 1));
    await until(async () => {
      const waiting = await database.query(
        `SELECT FROM pg_locks WHERE relation = 'memberships'::regclass AND NOT granted`,
      );
      return waiting.length > 0;
    });
    expect((await postForm(browser, '/logout', { csrf })).status).toBe(303);
    await lock.rollbackTransaction();
    await lock.release();
    sent.end(BODY.slice(1));

    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    answer.resume();
    expect(answer.statusCode).toBe(401);
    expect(await database.query('SELECT id FROM credentials')).toEqual([]);
  });
});

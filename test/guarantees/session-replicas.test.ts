import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTestApp, TEST_SECRET_KEY, type TestApp } from '../support/app/app.js';
import {
  callApi,
  copyOf,
  csrfOf,
  newBrowser,
  postForm,
  signIn,
  whoIs,
} from '../support/browser/console.js';
import { END_SESSION } from '../support/oauth/end-session.js';
import { createUser } from '../support/oauth/oauth.js';
import { createServerProcesses, type ServerProcess } from '../support/process/server-process.js';

const ROUNDS = 20;

describe('a session, on two server processes', () => {
  const processes = createServerProcesses();
  let gatehouse: TestApp;
  let tenant: Tenant;
  let a: ServerProcess;
  let b: ServerProcess;
  beforeAll(async () => {
    gatehouse = await createTestApp();
    // A tenant exists before the start, which prevents a demo tenant.
    tenant = await gatehouse.createTenant('first');
    const { database, config } = gatehouse;
    const env = { DATABASE_URL: database.url, SECRET_KEYS: TEST_SECRET_KEY, ISSUER: config.ISSUER };
    [a, b] = await Promise.all([processes.start(env), processes.start(env)]);
  }, 60_000);
  afterAll(async () => {
    await processes.killAll();
    await gatehouse.close();
  });

  const at = ({ origin }: ServerProcess) => ({ origin, config: gatehouse.config });

  it(`ends on the other with the sign-out, ${ROUNDS} times out of ${ROUNDS}`, async () => {
    const user = await createUser(gatehouse, [[tenant, 'member']]);
    for (let round = 0; round < ROUNDS; round += 1) {
      const browser = newBrowser(at(a));
      const csrf = csrfOf(await signIn(browser, user));
      const copy = copyOf(browser, at(b));
      const headers = { 'X-CSRF-Token': csrf };
      expect(await whoIs(copy)).toBe(user.email);
      expect((await callApi(copy, 'GET', '/api/v1/session', headers)).status).toBe(200);

      // By the console's own button, or on an app's request.
      if (round % 2 === 0) await postForm(browser, '/logout', { csrf });
      else await browser.submit(await browser.open(END_SESSION), {});
      const answers = await Promise.all([
        whoIs(copy),
        callApi(copy, 'GET', '/api/v1/session', headers).then(({ status }) => status),
        callApi(copy, 'POST', '/api/v1/personal-access-tokens', headers, {
          name: 'Late',
          access: 'read',
        }).then(({ status }) => status),
      ]);
      expect(answers).toEqual([undefined, 401, 401]);
    }
    const made = await gatehouse.database.query('SELECT id FROM credentials WHERE name = $1', [
      'Late',
    ]);
    expect(made).toEqual([]);
  });

  it('continues on the other under its renewed secret only', async () => {
    const user = await createUser(gatehouse, [[tenant, 'member']]);
    const browser = newBrowser(at(a));
    await signIn(browser, user);
    const before = copyOf(browser, at(b));
    await signIn(browser, user);
    expect(await whoIs(copyOf(browser, at(b)))).toBe(user.email);
    expect(await whoIs(before)).toBeUndefined();
  });
});

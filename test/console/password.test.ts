import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createCli } from '../support/app/cli.js';
import { newBrowser, postForm, signIn, whoIs } from '../support/browser/console.js';
import {
  authorizeUrl,
  createPkce,
  createUser,
  PASSWORD,
  readForm,
  registerClient,
  type Browser,
  type TestUser,
} from '../support/oauth/oauth.js';
import { holdLock } from '../support/oauth/subject-lock.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/** A replaced password may be known to an attacker: no sign-in begun with it may continue. */
describe('replacing a password', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let user: TestUser;
  let browser: Browser;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
  });
  beforeEach(async () => {
    user = await createUser(gatehouse, [[tenant, 'member']]);
    browser = newBrowser(gatehouse);
  });

  async function replacePassword(): Promise<void> {
    const words = ['accounts', 'set-password', '--email', user.email, '--password-stdin'];
    expect(await createCli(gatehouse.database)(words, 'another password\n')).toMatchObject({
      code: 0,
    });
  }

  /** Submits the login form at a path, without following the redirect. */
  async function submit(path: string): Promise<Response> {
    const { html, url } = await browser.open(path);
    const { hidden } = readForm(html);
    const fields = { ...Object.fromEntries(hidden), email: user.email, password: PASSWORD };
    return postForm(browser, new URL(url, gatehouse.config.ISSUER).pathname, fields);
  }

  it('ends a pending login for an app', async () => {
    const { client_id } = await registerClient(gatehouse);
    const { challenge } = createPkce();
    const answer = await submit(
      authorizeUrl(gatehouse.config.ISSUER, { client_id, code_challenge: challenge }),
    );
    expect(answer.status).toBe(303);
    await replacePassword();

    await browser.open(answer.headers.get('Location') ?? '');
    expect(await whoIs(browser)).toBeUndefined();
  });

  it.each(['/login', 'an app'])('ends a login at %s that is just being done', async (where) => {
    const { client_id } = await registerClient(gatehouse);
    const app = authorizeUrl(gatehouse.config.ISSUER, {
      client_id,
      code_challenge: createPkce().challenge,
    });
    // The sign-in waits for this lock after the password check.
    const lock = await holdLock(gatehouse.database, user.id);
    const answer = submit(where === '/login' ? '/login' : app);
    if (where === '/login') await lock.awaited();
    await replacePassword();
    await lock.release();

    await browser.open((await answer).headers.get('Location') ?? '/login');
    expect(await whoIs(browser)).toBeUndefined();
  });

  it('signs in with the new password', async () => {
    await replacePassword();
    await signIn(browser, user, { password: 'another password' });
    expect(await whoIs(browser)).toBe(user.email);
  });
});

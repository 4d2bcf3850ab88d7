import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createResetLinks } from '../../src/accounts/passwords/reset-link.js';
import { csrfOf, csrfOfForm, newBrowser, postForm, whoIs } from '../support/browser/console.js';
import { createPeople, type People, visit } from '../support/browser/people.js';
import {
  authorizeUrl,
  createPkce,
  mainOf,
  PASSWORD,
  registerClient,
} from '../support/oauth/oauth.js';
import { problemOf, providerUrlOf } from '../support/oauth/provider-world.js';
import {
  createFakeProvider,
  entryOf,
  type FakeProvider,
  writeProviders,
} from '../support/oauth/sign-in-provider.js';

let acme: FakeProvider;
let people: People;
beforeAll(async () => {
  acme = await createFakeProvider();
  const entry = {
    ...entryOf(acme, 'acme', 'Acme SSO'),
    domains: ['example.com'],
    trustedForDomains: ['example.com'],
  };
  people = await createPeople({
    SIGN_IN_PROVIDERS: writeProviders({ passwordSignIn: false, providers: [entry] }),
    OUTBOUND_ALLOW_LOOPBACK: 'true',
  });
});
afterAll(async () => {
  await people.close();
  await acme.close();
});

const claimsOf = (email: string) => ({
  sub: email,
  email,
  email_verified: true,
  auth_time: Math.floor(Date.now() / 1000),
});
const visitAs = async (email: string) => {
  const browser = newBrowser(people.gatehouse);
  const { url } = await browser.submit(await browser.open('/login'), { provider: 'acme' });
  const page = await browser.open(acme.authorize(url, claimsOf(email)).callback);
  return visit(browser, csrfOf(page));
};
const hashes = () =>
  people.gatehouse.database.query('SELECT id, password_hash FROM accounts ORDER BY id');

describe('while passwords are switched off', () => {
  it('the login pages show the providers, and refuse passwords without checking them', async () => {
    const client = await registerClient(people.gatehouse);
    const authorization = authorizeUrl(people.gatehouse.config.ISSUER, {
      client_id: client.client_id,
      code_challenge: createPkce().challenge,
    });
    for (const path of ['/login', authorization, '/device?user_code=BCDF-GHJK']) {
      const browser = newBrowser(people.gatehouse);
      const page = await browser.open(path);
      expect(mainOf(page)).toContain('Continue with <bdi>Acme SSO</bdi>');
      expect(mainOf(page)).not.toMatch(/type="password"|type="email"|Forgot password/);
      const sent = await browser.submit(page, { email: people.ann.email, password: PASSWORD });
      expect([sent.status, problemOf(sent)]).toEqual([403, expect.stringMatching('switched off')]);
      expect(await whoIs(browser)).toBeUndefined();
      // Nothing tells a right password from a wrong one, or an account from none.
      const other = await browser.submit(page, { email: 'nobody@other.test', password: 'x' });
      expect([other.status, problemOf(other)]).toEqual([sent.status, problemOf(sent)]);
    }
    const counted = await people.gatehouse.database.query(
      `SELECT FROM attempts WHERE bucket LIKE 'sign-in%'`,
    );
    expect(counted).toHaveLength(0);
    const browser = newBrowser(people.gatehouse);
    const routed = await browser.submit(await browser.open('/login'), { email: 'x@example.com' });
    expect(new URL(routed.url).origin).toBe(acme.issuer);
  });

  it('no page sets a password, nor a link that was mailed before', async () => {
    const { dataSource, keyring, format, config } = people.gatehouse;
    const links = createResetLinks({
      manager: dataSource.manager,
      keyring,
      format,
      issuer: config.ISSUER,
    });
    const link = (await links(people.ann.email)) ?? 'no link';
    const here = await visitAs(people.ann.email);
    const before = await hashes();
    for (const path of ['/forgot-password', link]) {
      const fields = {
        email: people.bob.email,
        password: 'another long one',
        repeated: 'another long one',
      };
      const page = await here.open(path);
      const sent = await postForm(here.browser, path, {
        csrf: csrfOf(await here.open('/settings/profile')),
        ...fields,
      });
      for (const [status, html] of [
        [page.status, page.html],
        [sent.status, await sent.text()],
      ]) {
        expect([status, html]).toEqual([
          403,
          expect.stringContaining('Passwords are switched off'),
        ]);
      }
    }
    expect(await people.mailTo(people.bob.email)).toBeUndefined();
    expect(mainOf(await here.open('/settings/profile'))).not.toContain('name="current"');
    const changed = await here.post('/settings/profile/password?tenant=acme', {
      current: PASSWORD,
      password: 'another long one',
      repeated: 'another long one',
    });
    expect(changed.status).toBe(403);
    expect(await hashes()).toEqual(before);
  });

  it('the page that confirms an address says how the person signs in', async () => {
    const here = await visitAs(people.bob.email);
    const email = 'bob.new@example.com';
    await here.post('/settings/profile/email?tenant=acme', { email });
    const page = mainOf(await here.open((await people.mailTo(email))?.link ?? ''));
    expect(page).toContain('It becomes the address of your account');
    expect(page).toContain('You sign in with your organization’s provider as before.');
    expect(page).not.toContain('password');
  });

  it('confirmations and invitations work at the provider', async () => {
    const here = await visitAs(people.bob.email);
    await people.gatehouse.database.query(
      `UPDATE sessions SET created_at = created_at - interval '1 hour'`,
    );
    const form = { name: 'T', access: 'read', expires: '30', handle: 'H'.repeat(22) };
    const path = '/settings/tokens/new?tenant=acme';
    const asked = await here.post(path, form);
    expect(asked.html).not.toContain('name="confirm_password"');
    const guessed = await here.post(path, { ...form, confirm_password: PASSWORD });
    expect([guessed.status, guessed.html]).toEqual([403, expect.stringContaining('switched off')]);
    const url = providerUrlOf(await here.post(path, { ...form, confirm_provider: 'acme' }));
    const page = await here.open(acme.authorize(url, claimsOf(people.bob.email)).callback);
    expect(page.html).toContain('data-submit');

    const admin = await visitAs(people.ann.email);
    const email = 'carl@example.com';
    await admin.post('/settings/members/invite?tenant=acme', { emails: email, role: 'viewer' });
    const browser = newBrowser(people.gatehouse);
    const invitation = await browser.open((await people.mailTo(email))?.link ?? '');
    expect(mainOf(invitation)).toContain('Sign in with this address');
    expect(mainOf(invitation)).not.toContain('type="password"');
    const login = await browser.open('/login?return_to=%2Finvitation');
    const { url: there } = await browser.submit(login, { provider: 'acme' });
    const back = await browser.open(acme.authorize(there, claimsOf(email)).callback);
    const joined = await browser.submit(back, {});
    expect([joined.status, await whoIs(browser)]).toEqual([200, email]);

    // A form that was sent all the same makes no account.
    await admin.post('/settings/members/invite?tenant=acme', {
      emails: 'dora@example.com',
      role: 'viewer',
    });
    const forger = newBrowser(people.gatehouse);
    const shown = await forger.open((await people.mailTo('dora@example.com'))?.link ?? '');
    const [{ id } = { id: '' }] = await people.gatehouse.database.query<{ id: string }>(
      'SELECT id FROM invitations',
    );
    const twice = { password: PASSWORD, repeated: PASSWORD };
    const signInPage = await forger.open('/login');
    const fields = { csrf: csrfOfForm(signInPage), id, name: 'Dora', ...twice };
    const answer = await postForm(forger, '/invitation', fields);
    expect(mainOf(shown)).toContain('Sign in with this address');
    expect([answer.status, answer.headers.get('Location')]).toEqual([
      303,
      '/login?return_to=%2Finvitation',
    ]);
    expect(await whoIs(forger)).toBeUndefined();
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createTestApp, type TestApp } from '../support/app/app.js';
import { freshAddress } from '../support/app/clients.js';
import { csrfOf, signIn, whoIs } from '../support/browser/console.js';
import { visit } from '../support/browser/people.js';
import { createBrowser, createUser, type Browser } from '../support/oauth/oauth.js';
import { problemOf, providerUrlOf } from '../support/oauth/provider-world.js';
import {
  createBareProvider,
  createSecondGatehouse,
  type RealProvider,
} from '../support/oauth/real-provider.js';
import { writeProviders } from '../support/oauth/sign-in-provider.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';

const SET_UP_MS = 120_000;
const REDIRECT_URI = 'http://localhost:3000/login/providers/real/callback';

/** Each provider, and how its users get a role: by a claim, or by the invitation. */
describe.each([
  {
    named: 'another Gatehouse',
    create: createSecondGatehouse,
    entry: { invitationOnly: true },
    byClaim: false,
  },
  {
    named: 'oidc-provider',
    create: createBareProvider,
    entry: {
      scopes: ['openid', 'profile', 'email', 'groups'],
      roleClaim: 'groups',
      roles: [
        { value: 'bosses', role: 'company_admin' },
        { value: 'staff', role: 'member' },
      ],
    },
    byClaim: true,
  },
])('with $named as provider', ({ create, entry, byClaim }) => {
  let upstream: RealProvider;
  let gatehouse: TestApp;
  let tenant: Tenant;
  beforeAll(async () => {
    upstream = await create(REDIRECT_URI);
    const { issuer, clientId, clientSecret } = upstream;
    const provider = {
      id: 'real',
      name: 'Real',
      issuer,
      clientId,
      clientSecret,
      domains: ['acme.test'],
      trustedForDomains: ['acme.test'],
      tenant: 'acme',
      ...entry,
    };
    gatehouse = await createTestApp({
      SIGN_IN_PROVIDERS: writeProviders({ providers: [provider] }),
      OUTBOUND_ALLOW_LOOPBACK: 'true',
      TRUST_PROXY: '127.0.0.1',
    });
    tenant = await gatehouse.createTenant('acme');
  }, SET_UP_MS);
  afterAll(async () => {
    await gatehouse.close();
    await upstream.close();
  }, SET_UP_MS);

  const newVisitor = () =>
    createBrowser({
      origin: gatehouse.origin,
      issuer: gatehouse.config.ISSUER,
      address: freshAddress(),
    });
  const signInAs = async (email: string, there?: Browser) => {
    const browser = newVisitor();
    const { url } = await browser.submit(await browser.open('/login'), { provider: 'real' });
    const { callback } = await upstream.authorize(
      there ?? (await upstream.user(email)),
      url,
      email,
    );
    return { browser, page: await browser.open(callback) };
  };
  const invite = async (email: string) => {
    const admin = await createUser(gatehouse, [[tenant, 'company_admin']]);
    await gatehouse.database.query(
      `INSERT INTO invitations (id, tenant_id, email, role, digest, digest_key_id, is_mailed, invited_by, expires_at)
       VALUES ($1, $2, $3, 'member', $1, 'key', false, $4, gatehouse_now() + interval '1 day')`,
      [`inv_${email}`, tenant.id, email, admin.id],
    );
  };
  const roleOf = async (email: string) => {
    const [row] = await gatehouse.database.query<{ role: string }>(
      'SELECT m.role FROM memberships m JOIN accounts a ON a.id = m.account_id WHERE a.email = $1',
      [email],
    );
    return row?.role;
  };

  it('creates accounts by the button, with the role of the claim or the invitation', async () => {
    const email = 'pat@acme.test';
    const there = await upstream.user(email);
    if (!byClaim) {
      const refused = await signInAs(email, there);
      expect(problemOf(refused.page)).toMatch('not connected');
      await invite(email);
    }
    const { browser, page } = await signInAs(email, there);
    expect(problemOf(page)).toBeUndefined();
    expect(await whoIs(browser)).toBe(email);
    expect(await roleOf(email)).toBe('member');
    if (byClaim) {
      await signInAs('boss@acme.test');
      expect(await roleOf('boss@acme.test')).toBe('company_admin');
    }
  });

  it('is where an address of its domain leads, with login_hint', async () => {
    const email = 'routed@acme.test';
    await createUser(gatehouse, [[tenant, 'viewer']], email);
    const browser = newVisitor();
    const { url } = await browser.submit(await browser.open('/login'), { email, password: '' });
    expect(new URL(url).searchParams.get('login_hint')).toBe(email);
    const { callback } = await upstream.authorize(await upstream.user(email), url, email);
    await browser.open(callback);
    // The account that had the address was linked.
    expect(await whoIs(browser)).toBe(email);
  });

  it('does not link an account by an address of a domain that it is not trusted for', async () => {
    const email = 'somebody@elsewhere.test';
    await createUser(gatehouse, [[tenant, 'viewer']], email);
    const { browser, page } = await signInAs(email);
    expect(problemOf(page)).toMatch('not connected');
    expect(await whoIs(browser)).toBeUndefined();
  });

  it('confirms after a new login, and connects in the profile', async () => {
    const email = 'linked@elsewhere.test';
    const user = await createUser(gatehouse, [[tenant, 'member']], 'with-password@example.com');
    const there = await upstream.user(email);
    const browser = newVisitor();
    const here = visit(browser, csrfOf(await signIn(browser, user)));
    const link = '/settings/profile/link-provider?tenant=acme&env=live';
    const linking = providerUrlOf(await here.post(link, { provider: 'real' }));
    const first = await upstream.authorize(there, linking, email);
    expect((await here.open(first.callback)).url).toContain('done=linked');

    const signedIn = await signInAs(email, there);
    expect(await whoIs(signedIn.browser)).toBe(user.email);
    const later = visit(signedIn.browser, csrfOf(await signedIn.browser.open('/settings/profile')));
    await gatehouse.database.shiftClock('16 minutes');
    const form = { name: 'Confirmed', access: 'read', expires: '30', handle: 'H'.repeat(22) };
    const path = '/settings/tokens/new?tenant=acme&env=live';
    const asked = await later.post(path, { ...form, confirm_provider: 'real' });
    // The provider has a session of the user, and asks all the same.
    const confirmed = await upstream.authorize(there, providerUrlOf(asked), email);
    expect(confirmed.hasAsked).toBe(true);
    const page = await later.open(confirmed.callback);
    expect(problemOf(page)).toBeUndefined();
    const [html = ''] =
      /<form method="post" action="[^"]*" data-submit>.*?<\/form>/s.exec(page.html) ?? [];
    const made = await later.browser.submit({ ...page, html }, {});
    expect(made.html).toMatch(/bwp_pat_\w{49}/);
    await gatehouse.database.shiftClock('0');
  });
});

import { describe, expect, it } from '@jest/globals';
import type { JWTPayload } from 'jose';

import { cookieOf, signIn, whoIs } from '../support/browser/console.js';
import {
  authorizeUrl,
  createPkce,
  createUser,
  mainOf,
  registerClient,
} from '../support/oauth/oauth.js';
import { ATTEMPT, problemOf, useProviders } from '../support/oauth/provider-world.js';
import { CLIENT_ID } from '../support/oauth/sign-in-provider.js';

const world = useProviders();
const { newVisitor, stranger, leaveFor, signInWith, roleOf } = world;

describe('signing in at a provider', () => {
  it('creates an account with the role of the claims, and a session', async () => {
    const browser = newVisitor();
    const { url } = await leaveFor(browser);
    const asked = new URL(url);
    expect(asked.origin + asked.pathname).toBe(`${world.acme.issuer}/authorize`);
    expect(Object.fromEntries(asked.searchParams)).toMatchObject({
      response_type: 'code',
      client_id: CLIENT_ID,
      redirect_uri: `${world.gatehouse.config.ISSUER}/login/providers/acme/callback`,
      scope: 'openid profile email',
      code_challenge_method: 'S256',
      state: expect.stringMatching(/^[\w-]{43}$/) as unknown,
      nonce: expect.stringMatching(/^[\w-]{43}$/) as unknown,
    });

    const claims = stranger();
    const page = await browser.open(world.acme.authorize(url, claims).callback);
    expect(page.status).toBe(200);
    expect(new URL(page.url).pathname).toMatch(/^\/settings\//);
    expect(await whoIs(browser)).toBe(claims.email);
    expect(await roleOf(claims.email)).toBe('member');
    expect(cookieOf(browser, ATTEMPT)).toBeUndefined();
    expect(mainOf(await browser.open('/settings/sessions'))).toContain('with <bdi>Acme SSO</bdi>');
    const entries = await world.gatehouse.database.query(
      `SELECT details FROM audit_log WHERE action = 'account.sign_in'
         AND actor = (SELECT id FROM accounts WHERE email = '${claims.email}')`,
    );
    expect(entries).toMatchObject([{ details: { method: 'provider', provider: 'acme' } }]);
  });

  it('sends an address of its domains there, with login_hint, and leaves passwords alone', async () => {
    const browser = newVisitor();
    const page = await browser.open('/login');
    const { url } = await browser.submit(page, { email: ' Pat@ACME.test', password: '' });
    expect(new URL(url).origin).toBe(world.acme.issuer);
    expect(new URL(url).searchParams.get('login_hint')).toBe(' Pat@ACME.test');

    const known = await createUser(
      world.gatehouse,
      [[world.tenant, 'viewer']],
      'with-password@acme.test',
    );
    await signIn(browser, known);
    expect(await whoIs(browser)).toBe(known.email);
  });

  it('leads back to the page that asked for it, and to no other site', async () => {
    const claims = stranger();
    const browser = newVisitor();
    const at = '/settings/tokens?tenant=acme';
    const back = await leaveFor(browser, 'acme', at);
    const page = await browser.open(world.acme.authorize(back.url, claims).callback);
    expect(page.url).toBe(world.gatehouse.config.ISSUER + at);

    const again = newVisitor();
    const path = `/login?return_to=${encodeURIComponent('//evil.example/settings/x')}`;
    const evil = await leaveFor(again, 'acme', path);
    const home = await again.open(world.acme.authorize(evil.url, claims).callback);
    expect(home.url.startsWith(`${world.gatehouse.config.ISSUER}/settings/`)).toBe(true);
  });

  it('continues the authorization of an app, freshly if the app asks for it', async () => {
    const client = await registerClient(world.gatehouse);
    const claims = stranger();
    const browser = newVisitor();
    const url = authorizeUrl(world.gatehouse.config.ISSUER, {
      client_id: client.client_id,
      code_challenge: createPkce().challenge,
    });
    const atProvider = await browser.submit(await browser.open(url), { provider: 'acme' });
    expect(new URL(atProvider.url).searchParams.get('prompt')).toBeNull();
    const consent = await browser.open(world.acme.authorize(atProvider.url, claims).callback);
    expect(new URL(consent.url).pathname).toMatch(/^\/consent\//);
    expect(await whoIs(browser)).toBe(claims.email);

    const fresh = await browser.open(`${url}&prompt=login`);
    const asked = await browser.submit(fresh, { provider: 'acme' });
    expect(Object.fromEntries(new URL(asked.url).searchParams)).toMatchObject({
      prompt: 'login',
      max_age: '0',
    });
    const before = Math.floor(Date.now() / 1000) - 600;
    const old = world.acme.authorize(asked.url, { ...claims, auth_time: before });
    const refused = await browser.open(old.callback);
    expect(problemOf(refused)).toMatch('could not be accepted');
  });

  it('reads claims from userinfo, of the same subject only', async () => {
    const { sub = '', ...others } = stranger();
    world.acme.userinfo = { ...others, sub };
    expect((await signInWith(newVisitor(), { sub })).status).toBe(200);
    world.acme.userinfo = { ...others, sub: 'somebody-else' };
    const page = await signInWith(newVisitor(), { sub });
    expect(problemOf(page)).toMatch('could not be accepted');
  });
});

describe('the account of an identity', () => {
  it('is the one of a verified address in a trusted domain, once', async () => {
    const claims = stranger();
    const known = await createUser(world.gatehouse, [[world.tenant, 'viewer']], claims.email);
    const before = newVisitor();
    await signIn(before, known);

    const browser = newVisitor();
    await signInWith(browser, { ...claims, email: claims.email.toUpperCase() });
    expect(await whoIs(browser)).toBe(claims.email);
    expect(await roleOf(claims.email)).toBe('member');
    // Nobody had proved the address: the former password may be an intruder's.
    expect(await whoIs(before)).toBeUndefined();
    await signIn(before, known);
    expect(await whoIs(before)).toBeUndefined();

    // The address changes at the provider, and not here.
    await signInWith(newVisitor(), { ...claims, email: 'new@acme.test' });
    expect(await whoIs(browser)).toBe(claims.email);

    // The provider gave the address to another person.
    const reused = await signInWith(newVisitor(), { ...claims, sub: 'a-successor' });
    expect(problemOf(reused)).toMatch('Another user of Acme SSO');
  });

  it('is never found by an address that is not proven', async () => {
    const claims = stranger();
    await createUser(world.gatehouse, [[world.tenant, 'viewer']], claims.email);
    await createUser(world.gatehouse, [[world.tenant, 'viewer']], 'kim@acme.test');
    const planted: JWTPayload[] = [
      { email_verified: false },
      { email_verified: undefined },
      { email_verified: 'true' },
      { email_verified: 1 },
      { email: 'x@other.test' },
      { email: 'x@sub.acme.test' },
      { email: `${claims.email}@other.test` },
      // The Kelvin sign becomes k in lower case; the second letter is Cyrillic.
      { email: '\u{212A}im@acme.test' },
      { email: 'k\u{456}m@acme.test' },
      { email: 'kim@\u{430}cme.test' },
      { email: [claims.email] },
      { email: `${claims.email}\u{0}` },
    ];
    for (const change of planted) {
      const page = await signInWith(newVisitor(), { ...claims, ...change });
      expect([change, problemOf(page)]).toEqual([change, expect.stringMatching('not connected')]);
      expect(page.status).toBe(403);
    }
    const page = await signInWith(newVisitor(), claims, world.other);
    expect(problemOf(page)).toMatch('Other is not connected');
    expect(
      await world.gatehouse.database.query(
        `SELECT FROM identity_links WHERE subject = '${claims.sub}'`,
      ),
    ).toHaveLength(0);
  });

  it('gets the role of the claims at each sign-in, except the last administrator', async () => {
    const boss = stranger({ access: { groups: ['staff', 'bosses'] } });
    await signInWith(newVisitor(), boss);
    expect(await roleOf(boss.email)).toBe('company_admin');
    const second = stranger({ access: { groups: ['bosses'] } });
    await signInWith(newVisitor(), second);

    const asStaff = { access: { groups: ['staff'] } };
    await signInWith(newVisitor(), { ...second, ...asStaff });
    expect(await roleOf(second.email)).toBe('member');
    await signInWith(newVisitor(), { ...boss, ...asStaff });
    expect(await roleOf(boss.email)).toBe('company_admin');

    const browser = newVisitor();
    const page = await signInWith(browser, { ...second, access: { groups: 'guests' } });
    expect(problemOf(page)).toMatch('gives you no role');
    expect(await whoIs(browser)).toBeUndefined();
    const entries = await world.gatehouse.database.query<{ details: object }>(
      `SELECT details FROM audit_log WHERE action = 'membership.update' ORDER BY at DESC LIMIT 1`,
    );
    expect(entries[0]?.details).toMatchObject({ role: 'member', formerRole: 'company_admin' });
  });

  it('does not come back to an organization that ended the membership', async () => {
    const claims = stranger();
    await signInWith(newVisitor(), claims);
    await world.gatehouse.database.query(
      `DELETE FROM memberships WHERE account_id = (SELECT id FROM accounts WHERE email = '${claims.email}')`,
    );
    await signInWith(newVisitor(), claims);
    expect(await roleOf(claims.email)).toBeUndefined();
  });
});

import { describe, expect, it } from '@jest/globals';
import type { JWTPayload } from 'jose';

import { cookieOf, csrfOf, whoIs } from '../support/browser/console.js';
import { visit, type Visit } from '../support/browser/people.js';
import { readForm } from '../support/oauth/oauth.js';
import {
  ATTEMPT,
  problemOf,
  providerUrlOf,
  useProviders,
} from '../support/oauth/provider-world.js';

const world = useProviders();
const { newVisitor, stranger, visitWith, leaveFor, copyOf } = world;

const NEW = '/settings/tokens/new?tenant=acme&env=live';
const TOKEN = { name: 'Kept <name>', access: 'read', expires: '90', handle: 'H'.repeat(22) };
const now = () => Math.floor(Date.now() / 1000);
const fresh = (claims: JWTPayload) => ({ ...claims, auth_time: now() });

let quarters = 0;
/** A visit whose sign-in is older than 15 minutes. */
const oldVisit = async (claims: JWTPayload) => {
  const here = await visitWith(claims);
  quarters += 1;
  await world.gatehouse.database.shiftClock(`${quarters * 16} minutes`);
  return here;
};
/** Submits the form, and presses the button of the provider. @returns the address at the provider */
const leave = async (here: Visit, fields: Readonly<Record<string, string>> = TOKEN) =>
  providerUrlOf(await here.post(NEW, { ...fields, confirm_provider: 'acme' }));
const tokensOf = (email: string) =>
  world.gatehouse.database.query(
    `SELECT FROM credentials c JOIN accounts a ON a.id = c.created_by WHERE a.email = '${email}'`,
  );

describe('a confirmation at a provider', () => {
  it('submits the form that waited for it, as it was, once', async () => {
    const claims = stranger();
    const here = await oldVisit(claims);
    const asked = await here.post(NEW, TOKEN);
    expect(asked.html).toContain('Continue with <bdi>Acme SSO</bdi>');
    expect(asked.html).not.toContain('name="confirm_password"');
    expect(asked.headers.get('Content-Security-Policy')).toContain("form-action 'self'");

    const sent = await here.post(NEW, { ...TOKEN, confirm_provider: 'acme' });
    const url = providerUrlOf(sent);
    expect(sent.headers.get('Refresh')).toBe(`0; url=${url}`);
    expect(Object.fromEntries(new URL(url).searchParams)).toMatchObject({
      prompt: 'login',
      max_age: '0',
      login_hint: claims.email,
      code_challenge_method: 'S256',
    });
    const former = copyOf(here.browser);
    const page = await here.open(world.acme.authorize(url, fresh(claims)).callback);
    expect([page.status, new URL(page.url).pathname]).toEqual([200, '/settings/confirm']);
    expect(await tokensOf(claims.email)).toHaveLength(0);
    // The secret of the session was renewed.
    expect(await whoIs(former)).toBeUndefined();

    const [form = ''] =
      /<form method="post" action="[^"]*" data-submit>.*?<\/form>/s.exec(page.html) ?? [];
    expect(readForm(form).action.replaceAll('&amp;', '&')).toBe(NEW);
    const made = await here.browser.submit({ ...page, html: form }, {});
    expect(made.html).toMatch(/bwp_pat_\w{49}/);
    expect(await tokensOf(claims.email)).toHaveLength(1);
    await here.browser.submit({ ...page, html: form }, {});
    expect(await tokensOf(claims.email)).toHaveLength(1);
    // Confirmed for the next 15 minutes; the form is not kept any longer.
    expect((await here.post(NEW, { ...TOKEN, handle: 'I'.repeat(22) })).location).toContain(
      '/secret?',
    );
    expect((await here.open('/settings/confirm?tenant=acme')).html).toContain('For 15 minutes');
  });

  it('needs a new authentication of the same identity, and leads back to its page otherwise', async () => {
    const claims = stranger();
    const colleague = stranger();
    await visitWith(colleague);
    const here = await oldVisit(claims);
    const wrong: readonly (readonly [JWTPayload, string])[] = [
      [{ ...claims, auth_time: now() - 120 }, 'could not be accepted'],
      [claims, 'could not be accepted'],
      [{ ...claims, auth_time: String(now()) }, 'could not be accepted'],
      // Somebody else signs in at the provider: known here, or unknown.
      [fresh(colleague), 'does not belong to this account'],
      [fresh(stranger()), 'does not belong to this account'],
      [fresh({ ...claims, sub: 'another' }), 'does not belong to this account'],
    ];
    for (const [answered, words] of wrong) {
      const url = await leave(here);
      const page = await here.open(world.acme.authorize(url, answered).callback);
      expect(new URL(page.url).pathname).toBe('/settings/confirm');
      expect(problemOf(page)).toMatch(words);
      expect(page.html).toContain('value="Kept &lt;name&gt;"');
      expect(page.html).toContain('Continue with <bdi>Acme SSO</bdi>');
      expect(await whoIs(here.browser)).toBe(claims.email);
      expect((await here.post(NEW, TOKEN)).html).toContain('Confirm that it is you');
    }
    const denied = world.acme.authorize(await leave(here), claims);
    const query = new URLSearchParams({
      error: 'access_denied',
      state: denied.state,
      iss: world.acme.issuer,
    });
    const page = await here.open(`${denied.callback.split('?')[0]}?${query}`);
    expect(problemOf(page)).toMatch('did not sign you in');
    expect(await tokensOf(claims.email)).toHaveLength(0);
  });

  it('is offered at the providers of the account only', async () => {
    const here = await oldVisit(stranger());
    for (const provider of ['other', 'unknown', 'acme,other']) {
      const answer = await here.post(NEW, { ...TOKEN, confirm_provider: provider });
      expect([answer.status, answer.html]).toEqual([
        422,
        expect.stringContaining('Choose another way'),
      ]);
      expect(cookieOf(here.browser, ATTEMPT)).toBeUndefined();
    }
    // Neither a form that is too long nor one with a secret is kept in parts.
    for (const name of [
      Array.from({ length: 3000 }, (_, n) => n.toString(36)).join(),
      'bwp_live_' + 'a'.repeat(49),
    ]) {
      const answer = await here.post(NEW, { ...TOKEN, name, confirm_provider: 'acme' });
      expect([answer.status, answer.html]).toEqual([
        413,
        expect.stringContaining('cannot be kept'),
      ]);
    }
  });

  it('belongs to its session, browser and purpose', async () => {
    const claims = stranger();
    const here = await oldVisit(claims);
    const notHere = 'not started in this browser';

    // The attacker's answer, and an answer for the attacker's browser.
    const attacker = stranger();
    const there = await oldVisit(attacker);
    const theirs = world.acme.authorize(await leave(there), fresh(attacker));
    await leave(here);
    expect(problemOf(await here.open(theirs.callback))).toMatch(notHere);
    expect(await whoIs(here.browser)).toBe(claims.email);

    // The attempt of a confirmation, in a browser that is signed out.
    const mine = world.acme.authorize(await leave(here), fresh(claims));
    const thief = newVisitor();
    thief.cookies.set(`${ATTEMPT} /`, cookieOf(here.browser, ATTEMPT) ?? '');
    expect(problemOf(await thief.open(mine.callback))).toMatch(notHere);
    expect(await whoIs(thief)).toBeUndefined();

    // The state of a sign-in cannot confirm, nor that of a confirmation sign in.
    const stranded = newVisitor();
    const begun = await leaveFor(stranded);
    const swapped = new URL(mine.callback);
    swapped.searchParams.set('state', new URL(begun.url).searchParams.get('state') ?? '');
    expect(problemOf(await here.open(swapped.href))).toMatch(notHere);

    // Signed out meanwhile, or signed in as somebody else.
    const leftAt = world.acme.authorize(await leave(here), fresh(claims));
    const copy = copyOf(here.browser);
    await here.post('/logout');
    expect(problemOf(await here.open(leftAt.callback))).toBeUndefined();
    expect(await whoIs(here.browser)).toBeUndefined();
    const next = visit(copy, csrfOf(await world.signInWith(copy, attacker)));
    const again = await next.open(leftAt.callback);
    expect(await whoIs(copy)).toBe(attacker.email);
    expect(again.html).not.toContain('Kept &lt;name&gt;');
  });

  it('works once, also for a copy of the cookies', async () => {
    const claims = stranger();
    const here = await oldVisit(claims);
    const { callback } = world.acme.authorize(await leave(here), fresh(claims));
    const copy = copyOf(here.browser);
    await here.open(callback);
    const page = await copy.open(callback);
    expect(await whoIs(copy)).toBeUndefined();
    expect(page.html).not.toContain('data-submit');
  });
});

import { describe, expect, it } from '@jest/globals';
import type { JWTPayload } from 'jose';

import { freshAddress } from '../support/app/clients.js';
import { cookieOf, secretOf, whoIs } from '../support/browser/console.js';
import { ATTEMPT, problemOf, useProviders } from '../support/oauth/provider-world.js';
import { CLIENT_ID, CLIENT_SECRET } from '../support/oauth/sign-in-provider.js';

const world = useProviders();
const { newVisitor, copyOf, stranger, leaveFor, signInWith } = world;

describe('an answer that was forged', () => {
  const refusedWith = async (claims: JWTPayload, words = 'could not be accepted') => {
    const browser = newVisitor();
    const page = await signInWith(browser, claims);
    expect(problemOf(page)).toMatch(words);
    expect(await whoIs(browser)).toBeUndefined();
  };

  it('is refused for wrong claims of the ID token', async () => {
    const now = Math.floor(Date.now() / 1000);
    const wrong: JWTPayload[] = [
      { iss: world.other.issuer },
      { iss: `${world.acme.issuer}/` },
      { aud: 'another-client' },
      { aud: [CLIENT_ID, 'another-client'], azp: 'another-client' },
      { nonce: 'another' },
      { nonce: undefined },
      { exp: now - 600 },
      { sub: '' },
      { sub: 'x'.repeat(256) },
    ];
    for (const change of wrong) {
      world.acme.forge = (claims) => ({ ...claims, ...change });
      await refusedWith(stranger());
    }
  });

  it('is refused for a wrong signature, and algorithms that prove nothing', async () => {
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
    world.acme.forge = (claims) => `${encode({ alg: 'none' })}.${encode(claims)}.`;
    await refusedWith(stranger());
    world.acme.forge = (claims) =>
      `${encode({ alg: 'HS256', kid: 'one' })}.${encode(claims)}.${encode({})}`;
    await refusedWith(stranger());
    world.acme.forge = (claims) => world.other.sign(claims);
    await refusedWith(stranger());
    world.acme.forge = async (claims) => {
      const [head, , signature] = (await world.acme.sign(claims)).split('.');
      return `${head}.${encode({ ...claims, sub: 'somebody-else' })}.${signature}`;
    };
    await refusedWith(stranger());
  });

  it('is refused for a wrong state, iss, code, provider or browser', async () => {
    const browser = newVisitor();
    const victim = newVisitor();
    const claims = stranger();
    const start = async (of = browser) => world.acme.authorize((await leaveFor(of)).url, claims);
    const open = async (callback: string, of = browser) => {
      const page = await of.open(callback);
      expect(await whoIs(of)).toBeUndefined();
      return problemOf(page) ?? 'none';
    };
    const changed = (callback: string, change: Record<string, string | undefined>) => {
      const url = new URL(callback);
      for (const [name, value] of Object.entries(change)) {
        if (value === undefined) url.searchParams.delete(name);
        else url.searchParams.set(name, value);
      }
      return url.href;
    };

    world.other.server.requested.length = 0;
    const notHere = 'not started in this browser';
    expect(await open(changed((await start()).callback, { state: 'another' }))).toMatch(notHere);
    expect(await open(changed((await start()).callback, { state: undefined }))).toMatch(notHere);
    // The attacker's answer in the victim's browser, with and without an attempt of the victim's.
    expect(await open((await start()).callback, victim)).toMatch(notHere);
    await start(victim);
    expect(await open((await start()).callback, victim)).toMatch(notHere);
    // The attacker plants the own attempt in the victim's browser.
    const { callback } = await start();
    victim.cookies.set(`${ATTEMPT} /`, cookieOf(browser, ATTEMPT) ?? '');
    expect(await open(callback, victim)).toMatch(notHere);

    const notAccepted = 'could not be accepted';
    expect(await open(changed((await start()).callback, { iss: world.other.issuer }))).toMatch(
      notAccepted,
    );
    expect(await open(changed((await start()).callback, { iss: undefined }))).toMatch(notAccepted);
    expect(await open(`${(await start()).callback}&code=two`)).toMatch(notAccepted);
    // A code that was stolen from another sign-in: the verifier differs.
    const { code: stolen } = await start(victim);
    expect(await open(changed((await start()).callback, { code: stolen }))).toMatch(notAccepted);
    // Mix-up: the answer of one provider at the callback of another one.
    const mixed = (await start()).callback.replace('/acme/', '/other/');
    expect(await open(mixed)).toMatch(notHere);
    expect((await browser.open(callback.replace('/acme/', '/unknown/'))).status).toBe(200);
    expect(world.other.server.requested).not.toContain('/token');
  });

  it('works once, also for a copy of the cookies, and for 10 minutes', async () => {
    const browser = newVisitor();
    const { callback } = world.acme.authorize((await leaveFor(browser)).url, stranger());
    const copy = copyOf(browser);
    await browser.open(callback);
    expect(await whoIs(browser)).toBeDefined();
    expect(problemOf(await copy.open(callback))).toMatch('used already');
    expect(problemOf(await newVisitor().open(callback))).toMatch('not started in this');

    const late = newVisitor();
    const answer = world.acme.authorize((await leaveFor(late)).url, stranger());
    const context = JSON.stringify(['sign-in at a provider', secretOf(late)]);
    const [keyId = '', sealed = ''] = (cookieOf(late, ATTEMPT) ?? '').split('.');
    const opened = world.gatehouse.keyring.open(
      { ciphertext: Buffer.from(sealed, 'base64url'), keyId },
      context,
    );
    const attempt = JSON.parse(opened.toString()) as { startedAt: number };
    const earlier = { ...attempt, startedAt: attempt.startedAt - 601 };
    const { ciphertext } = world.gatehouse.keyring.seal(
      Buffer.from(JSON.stringify(earlier)),
      context,
    );
    late.cookies.set(`${ATTEMPT} /`, `${keyId}.${ciphertext.toString('base64url')}`);
    expect(problemOf(await late.open(answer.callback))).toMatch('longer than 10 minutes');
  });

  it('is refused with the reason that the provider gives, which is not shown', async () => {
    const browser = newVisitor();
    for (const [error, words] of [
      ['access_denied', 'did not sign you in'],
      ['<script>', 'did not sign you in'],
      ['server_error', 'cannot be reached'],
    ] as const) {
      const { state, callback } = world.acme.authorize((await leaveFor(browser)).url, {});
      const query = new URLSearchParams({
        error,
        error_description: 'Planted',
        state,
        iss: world.acme.issuer,
      });
      const page = await browser.open(`${callback.split('?')[0]}?${query}`);
      expect(problemOf(page)).toMatch(words);
      expect(page.html).not.toContain('Planted');
    }
  });

  it('leaves entries in the audit log, and neither codes nor tokens in the log', async () => {
    const browser = newVisitor();
    const { code, callback } = world.acme.authorize((await leaveFor(browser)).url, stranger());
    world.acme.forge = (claims) => ({ ...claims, nonce: 'another' });
    await browser.open(callback);
    await world.gatehouse.app.activity.flush();
    const [entry] = await world.gatehouse.database.query<{ details: object }>(
      `SELECT details FROM audit_log WHERE action = 'account.sign_in_refused'
       AND details->>'reason' = 'provider acme: invalid'`,
    );
    expect(entry).toBeDefined();
    const log = world.gatehouse.logged.join('');
    expect(log).toContain('provider acme: invalid');
    for (const secret of [code, CLIENT_SECRET, new URL(callback).searchParams.get('state') ?? '']) {
      expect(log).not.toContain(secret);
    }
  });

  it('needs the form of the login page to begin', async () => {
    const answer = await newVisitor().request('/login', {
      method: 'POST',
      headers: {
        'Content-Type': 'application/x-www-form-urlencoded',
        Origin: 'https://evil.example',
      },
      body: 'provider=acme',
    });
    expect(answer.status).toBe(403);
    expect(answer.headers.get('Set-Cookie') ?? '').not.toContain(ATTEMPT);
  });

  it('is tried 60 times a minute from an address', async () => {
    const browser = newVisitor(freshAddress());
    const callback = '/login/providers/acme/callback?state=x';
    const answers = await Promise.all(Array.from({ length: 61 }, () => browser.request(callback)));
    const problems = answers.map((answer) => answer.headers.get('Location') ?? '');
    expect(problems.filter((to) => to.endsWith('problem=throttled'))).toHaveLength(1);
  });

  it('does not come from a provider that is down, slow or endless, and others still sign in', async () => {
    const { pages } = world.acme.server;
    const respond: Parameters<typeof pages.set>[1][] = [
      (_request, response) => void response.writeHead(503).end(),
      (_request, response) => void response.writeHead(302, { Location: '/jwks' }).end(),
      (_request, response) => {
        response.writeHead(200, { 'Content-Type': 'application/json' });
        response.write(' '.repeat(300 * 1024));
      },
    ];
    for (const answer of respond) {
      pages.set('/token', answer);
      const browser = newVisitor();
      const page = await signInWith(browser, stranger());
      expect(problemOf(page)).toMatch(/cannot be reached/);
      expect(page.status).toBe(503);
      expect(problemOf(await signInWith(newVisitor(), stranger(), world.other))).toMatch(
        'not connected',
      );
    }
  });
});

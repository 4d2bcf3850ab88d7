import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { JWTPayload } from 'jose';

import { freshAddress } from '../support/app/clients.js';
import { cookieOf, csrfOf, signIn, whoIs } from '../support/browser/console.js';
import { createPeople, type People, visit, type Visit } from '../support/browser/people.js';
import {
  createBrowser,
  createUser,
  mainOf,
  PASSWORD,
  type TestUser,
} from '../support/oauth/oauth.js';
import { until } from '../support/app/until.js';
import { holdLock } from '../support/oauth/subject-lock.js';
import { ATTEMPT, problemOf, providerUrlOf } from '../support/oauth/provider-world.js';
import {
  createFakeProvider,
  entryOf,
  type FakeProvider,
  writeProviders,
} from '../support/oauth/sign-in-provider.js';

const AT = '?tenant=acme&env=live';
const LINK = `/settings/profile/link-provider${AT}`;
const UNLINK = `/settings/profile/unlink-provider${AT}`;

let acme: FakeProvider;
let other: FakeProvider;
let people: People;
beforeAll(async () => {
  [acme, other] = await Promise.all([createFakeProvider(), createFakeProvider()]);
  people = await createPeople({
    SIGN_IN_PROVIDERS: writeProviders({
      providers: [
        { ...entryOf(acme, 'acme', 'Acme SSO'), trustedForDomains: ['acme.test'] },
        { ...entryOf(other, 'other', 'Other'), trustedForDomains: ['acme.test'] },
      ],
    }),
    OUTBOUND_ALLOW_LOOPBACK: 'true',
    TRUST_PROXY: '127.0.0.1',
  });
});
afterAll(async () => {
  await people.close();
  await Promise.all([acme.close(), other.close()]);
});
beforeEach(() => people.gatehouse.database.query('DELETE FROM attempts'));

let count = 0;
const newUser = () => {
  count += 1;
  return createUser(people.gatehouse, [[people.acme, 'member']], `user-${count}@acme.test`);
};
/** A browser at an address of its own. */
const newVisitor = () => {
  const { origin, config } = people.gatehouse;
  return createBrowser({ origin, issuer: config.ISSUER, address: freshAddress() });
};
const signedIn = async (user: TestUser) => {
  const browser = newVisitor();
  return visit(browser, csrfOf(await signIn(browser, user)));
};
/** A user at a provider, with no address that would link by itself. */
const identity = (sub: string): JWTPayload => ({ sub, email: `${sub}@elsewhere.test` });
/** Presses the button of the profile. @returns the address at the provider */
const begin = async (here: Visit, provider = 'acme') =>
  providerUrlOf(await here.post(LINK, { provider }));
const connect = async (here: Visit, sub: string, at = acme) => {
  const url = await begin(here, at === acme ? 'acme' : 'other');
  return here.open(at.authorize(url, identity(sub)).callback);
};
const signInAt = async (claims: JWTPayload, at = acme, browser = newVisitor()) => {
  const id = at === acme ? 'acme' : 'other';
  const { url } = await browser.submit(await browser.open('/login'), { provider: id });
  const page = await browser.open(at.authorize(url, claims).callback);
  return { ...visit(browser, csrfOf(page)), page };
};
const linksOf = ({ id }: TestUser) =>
  people.gatehouse.database.query<{ subject: string }>(
    'SELECT subject FROM identity_links WHERE account_id = $1 ORDER BY created_at',
    [id],
  );
const forgetPassword = ({ id }: TestUser) =>
  people.gatehouse.database.query(`UPDATE accounts SET password_hash = '!' WHERE id = $1`, [id]);
const age = () =>
  people.gatehouse.database.query(
    `UPDATE sessions SET created_at = created_at - interval '1 hour'`,
  );

describe('connecting a provider', () => {
  it('links the identity, tells the owner, and signs in from then on', async () => {
    const ada = await newUser();
    const here = await signedIn(ada);
    const url = await begin(here);
    expect(Object.fromEntries(new URL(url).searchParams)).toMatchObject({ login_hint: ada.email });
    const page = await here.open(acme.authorize(url, identity('ada')).callback);
    expect(page.url).toContain(`/settings/profile${AT}&done=linked`);
    expect(mainOf(page)).toContain('ada@elsewhere.test');
    expect(mainOf(page)).toContain('Connect <bdi>Other</bdi>');
    expect(mainOf(page)).not.toContain('Connect <bdi>Acme SSO</bdi>');
    const mail = await people.mailTo(ada.email);
    expect(mail?.subject).toBe('BuildWorkPro: Acme SSO can sign in to your account now');
    expect(mail?.text).toContain('Acme SSO (ada@elsewhere.test) was connected to your account');
    expect((await people.audited('account.link_sign_in')).at(-1)).toMatchObject({
      actor: ada.id,
      subject: ada.id,
      details: { provider: 'acme', email: 'ada@elsewhere.test' },
    });
    const there = await signInAt(identity('ada'));
    expect(await whoIs(there.browser)).toBe(ada.email);
    // The password still works.
    expect(await whoIs((await signedIn(ada)).browser)).toBe(ada.email);
  });

  it('asks for a confirmation first, and keeps what was chosen', async () => {
    const ada = await newUser();
    const here = await signedIn(ada);
    await age();
    for (const [path, fields] of [
      [LINK, { provider: 'acme' }],
      [UNLINK, { issuer: acme.issuer }],
    ] as const) {
      const asked = await here.post(path, fields);
      expect(asked.html).toContain('Confirm that it is you');
      const wrong = await here.post(path, { ...fields, confirm_password: 'wrong' });
      expect([wrong.status, cookieOf(here.browser, ATTEMPT)]).toEqual([422, undefined]);
    }
    const sent = await here.post(LINK, { provider: 'acme', confirm_password: PASSWORD });
    expect(new URL(providerUrlOf(sent)).origin).toBe(acme.issuer);
    expect((await here.post(LINK, { provider: 'unknown' })).status).toBe(404);
  });

  it('refuses the identity of another account, and a second one of the provider', async () => {
    const [ada, bob] = [await newUser(), await newUser()];
    const here = await signedIn(ada);
    await connect(here, 'taken');
    const there = await signedIn(bob);
    const taken = await connect(there, 'taken');
    expect(new URL(taken.url).pathname).toBe('/settings/profile');
    expect([taken.status, problemOf(taken)]).toEqual([
      403,
      expect.stringMatching('another account'),
    ]);
    const second = await connect(here, 'a-second');
    expect(problemOf(second)).toMatch('Another user of Acme SSO');
    expect([await linksOf(ada), await linksOf(bob)]).toEqual([[{ subject: 'taken' }], []]);
    expect(await whoIs(there.browser)).toBe(bob.email);
  });

  it('belongs to its session, browser, provider and purpose', async () => {
    const [ada, mallory] = [await newUser(), await newUser()];
    const victim = await signedIn(ada);
    const attacker = await signedIn(mallory);
    const notHere = 'not started in this browser';

    // The attacker's answer in the victim's browser, with and without an attempt of the victim's.
    const planted = acme.authorize(await begin(attacker), identity('mallory'));
    const page = await victim.open(planted.callback);
    expect([new URL(page.url).pathname, problemOf(page)]).toEqual([
      '/settings/profile',
      expect.stringMatching(notHere),
    ]);
    await begin(victim);
    expect(problemOf(await victim.open(planted.callback))).toMatch(notHere);
    // The same with the attacker's own cookie planted, too.
    victim.browser.cookies.set(`${ATTEMPT} /`, cookieOf(attacker.browser, ATTEMPT) ?? '');
    expect(problemOf(await victim.open(planted.callback))).toMatch(notHere);

    // The state of a sign-in, and of a confirmation, where a link is expected.
    const stranger = newVisitor();
    const { url } = await stranger.submit(await stranger.open('/login'), { provider: 'acme' });
    const mine = new URL(acme.authorize(await begin(victim), identity('ada')).callback);
    mine.searchParams.set('state', new URL(url).searchParams.get('state') ?? '');
    expect(problemOf(await victim.open(mine.href))).toMatch(notHere);
    // A code that was stolen from another attempt, the answer of another provider, and a forged issuer.
    const stolen = acme.authorize(await begin(attacker), identity('mallory'));
    for (const change of [
      (to: URL) => to.searchParams.set('code', stolen.code),
      (to: URL) => to.searchParams.set('iss', other.issuer),
      (to: URL) => to.searchParams.append('code', 'two'),
    ]) {
      const to = new URL(acme.authorize(await begin(victim), identity('ada')).callback);
      change(to);
      const refused = await victim.open(to.href);
      expect([new URL(refused.url).pathname, problemOf(refused)]).toEqual([
        '/settings/profile',
        expect.stringMatching('could not be accepted'),
      ]);
    }
    const mixed = acme.authorize(await begin(victim), identity('ada')).callback;
    expect(problemOf(await victim.open(mixed.replace('/acme/', '/other/')))).toMatch(notHere);
    // ID tokens of another client, another issuer, and with the nonce of another attempt.
    for (const forged of [{ aud: 'another' }, { iss: other.issuer }, { nonce: 'another' }]) {
      acme.forge = (claims) => ({ ...claims, ...forged });
      expect(problemOf(await connect(victim, 'ada'))).toMatch('could not be accepted');
    }
    acme.reset();

    // Signed out meanwhile, or in with another account: linked to neither.
    const late = acme.authorize(await begin(victim), identity('ada')).callback;
    await signIn(victim.browser, mallory);
    const elsewhere = await victim.open(late);
    expect(problemOf(elsewhere)).toMatch('with another account');
    expect(await linksOf(ada)).toEqual([]);
    expect(await linksOf(mallory)).toEqual([]);
    expect(await whoIs(victim.browser)).toBe(mallory.email);
  });

  it('works once, also for a copy of the cookies, and not after the session has ended', async () => {
    const ada = await newUser();
    const here = await signedIn(ada);
    const { callback } = acme.authorize(await begin(here), identity('once'));
    const copy = newVisitor();
    for (const [name, value] of here.browser.cookies) copy.cookies.set(name, value);
    await here.open(callback);
    await here.post(UNLINK, { issuer: acme.issuer });
    const again = await copy.open(callback);
    expect([new URL(again.url).pathname, problemOf(again)]).toEqual([
      '/settings/profile',
      expect.stringMatching('used already'),
    ]);
    const late = acme.authorize(await begin(here), identity('once')).callback;
    await people.gatehouse.database.query('UPDATE sessions SET expires_at = gatehouse_now()');
    const page = await here.open(late);
    expect([new URL(page.url).pathname, await linksOf(ada)]).toEqual(['/login', []]);
  });
});

describe('disconnecting a provider', () => {
  it('ends the sessions that began there, and sign-ins that are under way', async () => {
    const ada = await newUser();
    const here = await signedIn(ada);
    await connect(here, 'leaving');
    await connect(here, 'staying', other);
    const there = await signInAt(identity('leaving'));
    const elsewhere = await signInAt(identity('staying'), other);
    const mails = people.server.mails.length;
    const gone = await here.post(UNLINK, { issuer: acme.issuer });
    expect(gone.location).toContain('done=unlinked');
    expect(await linksOf(ada)).toEqual([{ subject: 'staying' }]);
    expect([
      await whoIs(there.browser),
      await whoIs(elsewhere.browser),
      await whoIs(here.browser),
    ]).toEqual([undefined, ada.email, ada.email]);
    expect((await people.mailTo(ada.email))?.text).toContain('was disconnected from your account');
    expect(people.server.mails.length).toBeGreaterThan(mails);
    expect((await people.audited('account.unlink_sign_in')).at(-1)).toMatchObject({
      actor: ada.id,
      subject: ada.id,
      details: { provider: 'acme', email: 'leaving@elsewhere.test', endedSessions: 1 },
    });
    const refused = await signInAt(identity('leaving'));
    expect(problemOf(refused.page)).toMatch('not connected');
    // Pressed twice, or for another issuer: nothing.
    for (const issuer of [acme.issuer, 'https://nobody.example', '']) {
      expect((await here.post(UNLINK, { issuer })).status).toBe(303);
    }
    expect(await linksOf(ada)).toHaveLength(1);
  });

  it('is refused for the only way to sign in, also if two are disconnected at once', async () => {
    const ada = await newUser();
    const here = await signedIn(ada);
    await connect(here, 'one');
    await forgetPassword(ada);
    const there = await signInAt(identity('one'));
    const refused = await there.post(UNLINK, { issuer: acme.issuer });
    expect([refused.status, refused.html]).toEqual([
      409,
      expect.stringContaining('You could not sign in without it'),
    ]);
    for (let round = 0; round < 5; round += 1) {
      await people.gatehouse.database.query(
        `INSERT INTO identity_links (issuer, subject, account_id) VALUES ($1, $3, $4), ($2, $3, $4) ON CONFLICT DO NOTHING`,
        [acme.issuer, other.issuer, 'one', ada.id],
      );
      const answers = await Promise.all(
        [acme, other].map(({ issuer }) => there.post(UNLINK, { issuer })),
      );
      expect(answers.map(({ status }) => status).toSorted()).toEqual([303, 409]);
      expect(await linksOf(ada)).toHaveLength(1);
    }
  });

  it('is possible for a provider that is not offered any more', async () => {
    const ada = await newUser();
    const here = await signedIn(ada);
    await people.gatehouse.database.query(
      `INSERT INTO identity_links (issuer, subject, account_id) VALUES ('https://gone.example', 'x', $1)`,
      [ada.id],
    );
    await forgetPassword(ada);
    expect(mainOf(await here.open('/settings/profile'))).toContain('Not offered any more');
    expect((await here.post(UNLINK, { issuer: 'https://gone.example' })).status).toBe(303);
    expect(await linksOf(ada)).toEqual([]);
  });
});

describe('a change of the account at the same time', () => {
  /** Opens a callback while a transaction holds the account, which then does something and commits. */
  const during = async (ada: TestUser, open: () => Promise<unknown>, sql: string) => {
    const { database } = people.gatehouse;
    const lock = await holdLock(database, 'a change of the account');
    await lock.query('SELECT FROM accounts WHERE id = $1 FOR NO KEY UPDATE', [ada.id]);
    const opened = open();
    await until(async () => {
      const waiting = await database.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return waiting.length > 0;
    });
    await lock.query(sql, [ada.id]);
    await lock.release();
    await opened;
  };

  it('ends a sign-in whose identity was unlinked', async () => {
    const ada = await newUser();
    await connect(await signedIn(ada), 'raced');
    const browser = newVisitor();
    const { url } = await browser.submit(await browser.open('/login'), { provider: 'acme' });
    const { callback } = acme.authorize(url, identity('raced'));
    const unlinked = 'DELETE FROM identity_links WHERE account_id = $1';
    await during(ada, () => browser.open(callback), unlinked);
    expect(await whoIs(browser)).toBeUndefined();
  });

  it('keeps an identity from being linked in a session that ended', async () => {
    const ada = await newUser();
    const intruder = await signedIn(ada);
    const { callback } = acme.authorize(await begin(intruder), identity('raced-too'));
    const ended = 'UPDATE sessions SET expires_at = gatehouse_now() WHERE account_id = $1';
    await during(ada, () => intruder.open(callback), ended);
    expect(await linksOf(ada)).toEqual([]);
  });
});

describe('an account whose address nobody had proved', () => {
  it('keeps no identity that somebody else linked, once its owner signs in', async () => {
    const ada = await newUser();
    const intruder = await signedIn(ada);
    await connect(intruder, 'intruder');
    await connect(intruder, 'intruder', other);
    const claims = { sub: 'owner', email: ada.email, email_verified: true };
    const owner = await signInAt(claims);
    expect(await whoIs(owner.browser)).toBe(ada.email);
    expect(await linksOf(ada)).toEqual([{ subject: 'owner' }]);
    expect(await whoIs(intruder.browser)).toBeUndefined();
    for (const at of [acme, other]) {
      const again = await signInAt(identity('intruder'), at);
      expect(await whoIs(again.browser)).toBeUndefined();
    }
    // The owner of a proven address keeps what they linked.
    const here = await signInAt(claims);
    await connect(here, 'mine', other);
    const second = await signInAt({ ...claims, sub: 'successor' });
    expect(problemOf(second.page)).toMatch('Another user');
    expect(await linksOf(ada)).toHaveLength(2);
  });
});

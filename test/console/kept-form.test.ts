import { beforeEach, describe, expect, it } from '@jest/globals';

import { cookieOf, csrfOf, newBrowser, signIn } from '../support/browser/console.js';
import { usePeople, visit, type Sent, type Visit } from '../support/browser/people.js';
import { createUser, mainOf, PASSWORD, type TestUser } from '../support/oauth/oauth.js';

const KEY = '/settings/api-keys/new?tenant=acme&env=live';
const NEW = {
  kind: 'secret',
  name: 'Weekly <export>',
  scope: 'contacts:delete',
  allowedIps: '203.0.113.7',
  rateLimit: '77',
  expires: 'never',
};
const COOKIE = 'gatehouse_form';

const people = usePeople();
beforeEach(() => people.gatehouse.database.query('DELETE FROM attempts'));

/** A browser whose session was ended in another one, after it had opened a page. */
async function endedFor(user: TestUser): Promise<Visit> {
  const here = await people.signedIn(user);
  const other = await people.signedIn(user);
  expect((await other.post('/settings/sessions/end-others?tenant=acme')).status).toBe(303);
  return here;
}

/** Signs in where an answer leads. */
async function signInAt({ browser }: Visit, { location }: Sent, { email }: TestUser) {
  const login = await browser.open(location ?? '');
  const page = await browser.submit(login, { email, password: PASSWORD });
  return { login, page, main: mainOf(page) };
}

const made = () => people.gatehouse.database.query('SELECT id FROM credentials');

describe('a form that is sent after the session has ended', () => {
  it('is shown again with its values once the same person has signed in, and makes nothing', async () => {
    const here = await endedFor(people.ann);
    const sent = await here.post(KEY, { ...NEW, handle: 'H'.repeat(22) });
    expect([sent.status, sent.location]).toEqual([
      303,
      `/login?return_to=${encodeURIComponent(KEY)}`,
    ]);
    const cookie = cookieOf(here.browser, COOKIE) ?? '';
    expect(cookie.length).toBeLessThan(1000);
    expect(Buffer.from(cookie.split('.')[1] ?? '', 'base64url').toString('latin1')).not.toMatch(
      /Weekly|contacts/,
    );

    const { login, page, main } = await signInAt(here, sent, people.ann);
    expect(login.html).toContain('What you entered is kept.');
    expect([page.status, page.url]).toEqual([200, `http://localhost:3000${KEY}`]);
    for (const text of [
      'nothing was sent. What you entered is kept',
      'value="Weekly &lt;export&gt;"',
      '203.0.113.7</textarea>',
      'value="77"',
      '<option value="never" selected>',
    ]) {
      expect(main).toContain(text);
    }
    expect(main).toMatch(/value="contacts:delete"[^>]* checked/);
    expect(main).not.toContain('H'.repeat(22));
    expect(await made()).toEqual([]);

    const again = await here.open(KEY);
    expect(again.html).not.toContain('Weekly');
    const values = { ...NEW, handle: 'I'.repeat(22) };
    const mine = visit(here.browser, csrfOf(again));
    expect((await mine.post(KEY, values)).location).toContain('/secret?');
    await people.gatehouse.database.query('DELETE FROM credentials');
  });

  it('keeps no credential and no password', async () => {
    const here = await endedFor(people.ann);
    const { secret } = await people.gatehouse.createKey(people.acme);
    const sent = await here.post(KEY, { ...NEW, name: secret, confirm_password: 'hunter22' });
    const { main } = await signInAt(here, sent, people.ann);
    expect(main).toContain('value="77"');
    expect(main).not.toContain(secret);
    expect(main).not.toContain('hunter22');
    await people.gatehouse.database.query('DELETE FROM credentials');
    const password = { current: PASSWORD, password: 'a new pass phrase', repeated: 'x' };
    const ended = await endedFor(people.bob);
    const refused = await ended.post('/settings/profile/password?tenant=acme', password);
    expect(cookieOf(ended.browser, COOKIE)).toBeUndefined();
    expect((await signInAt(ended, refused, people.bob)).page.url).toContain('/settings/profile?');
  });

  it('is not shown to another account, after an alteration, or after another page', async () => {
    const here = await endedFor(people.ann);
    const cal = await people.member('company_admin');
    const sent = await here.post(KEY, NEW);
    expect((await signInAt(here, sent, cal)).main).not.toContain('Weekly');
    expect(cookieOf(here.browser, COOKIE)).toBeUndefined();

    const altered = await endedFor(people.ann);
    const answer = await altered.post(KEY, NEW);
    const name = `${COOKIE} /`;
    const value = altered.browser.cookies.get(name) ?? '';
    altered.browser.cookies.set(name, `${value.slice(0, -4)}AAAA`);
    const page = await signInAt(altered, answer, people.ann);
    expect([page.page.status, page.main.includes('Weekly')]).toEqual([200, false]);

    const elsewhere = await endedFor(people.ann);
    await elsewhere.post(KEY, NEW);
    await signIn(elsewhere.browser, people.ann, { returnTo: '/settings/profile' });
    expect((await elsewhere.open(KEY)).html).not.toContain('Weekly');
  });

  it('is not kept for a browser without a session, from elsewhere, or beyond a cookie', async () => {
    const stranger = visit(newBrowser(people.gatehouse), 'forged');
    const here = await endedFor(people.ann);
    const forged = visit(here.browser, 'forged');
    const random = Array.from({ length: 1500 }, () => Math.random().toString(36)).join('\n');
    for (const attempt of [
      () => stranger.post(KEY, NEW),
      () => forged.post(KEY, NEW),
      () => here.post(KEY, { ...NEW, allowedIps: random }),
    ]) {
      expect((await attempt()).status).toBe(303);
    }
    for (const { browser } of [stranger, here]) {
      expect(cookieOf(browser, COOKIE)).toBeUndefined();
    }
  });

  it('is shown again for each form with typed content', async () => {
    const { gatehouse, acme, ann } = people;
    const key = await gatehouse.createKey(acme, { name: 'Export' });
    const [space] = await gatehouse.database.query<{ id: string }>(
      'SELECT id FROM spaces WHERE tenant_id = $1',
      [acme.id],
    );
    for (const [path, fields] of [
      [`api-keys/${key.id}`, { name: 'Typed', expires: 'never' }],
      ['tokens/new', { name: 'Typed', access: 'some', scope: 'leads:read' }],
      ['machine-credentials/new', { name: 'Typed', kind: 'agent', bindingId: 'Typed' }],
      ['general', { name: 'Typed' }],
      ['spaces/new', { name: 'Typed' }],
      [`spaces/${space?.id}/rename`, { name: 'Typed' }],
      ['members/invite', { emails: 'Typed', role: 'viewer' }],
      ['profile/name', { name: 'Typed' }],
      ['profile/email', { email: 'Typed' }],
    ] as const) {
      const here = await endedFor(ann);
      const sent = await here.post(`/settings/${path}?tenant=acme&env=live`, fields);
      const { page, main } = await signInAt(here, sent, ann);
      expect({ path, status: page.status, isKept: main.includes('Typed') }).toEqual({
        path,
        status: path.startsWith('api-keys') ? 409 : 200,
        isKept: true,
      });
    }
    const changed = await gatehouse.database.query(
      `SELECT FROM accounts WHERE name = 'Typed' UNION ALL SELECT FROM spaces WHERE name = 'Typed'
       UNION ALL SELECT FROM tenants WHERE name = 'Typed' UNION ALL SELECT FROM credentials WHERE name = 'Typed'`,
    );
    expect(changed).toEqual([]);
  });
});

describe('a person without an organization', () => {
  it('has a profile, a password, sessions and apps, and a plain page for the rest', async () => {
    const eve = await createUser(people.gatehouse, []);
    const here = await people.signedIn(eve);
    const first = await here.open('/settings');
    expect([first.status, first.url]).toEqual([200, 'http://localhost:3000/settings/profile']);
    expect(first.html).toContain('You belong to no organization.');
    expect(first.html).toContain('href="/settings/sessions"');
    expect(first.html).not.toContain('/settings/api-keys');
    for (const page of ['sessions', 'apps']) {
      expect((await here.open(`/settings/${page}`)).status).toBe(200);
    }
    const rename = await here.post('/settings/profile/name', { name: 'Eve' });
    expect([rename.status, rename.location]).toEqual([303, '/settings/profile?done=name']);
    const twice = { password: 'a long new password', repeated: 'a long new password' };
    const changed = await here.post('/settings/profile/password', { current: PASSWORD, ...twice });
    expect([changed.status, changed.location]).toEqual([303, '/settings/profile?done=password']);
    const other = newBrowser(people.gatehouse);
    await signIn(other, eve, { password: twice.password });
    expect((await here.post('/settings/sessions/end-others')).status).toBe(303);
    expect((await other.open('/settings/sessions')).url).toContain('/login');

    for (const page of ['api-keys', 'tokens', 'members', 'general', 'profile/leave', 'search']) {
      const answer = await here.open(`/settings/${page}`);
      expect({ page, status: answer.status }).toEqual({ page, status: 403 });
      expect(mainOf(answer)).toContain('no organization. Ask an administrator to invite you.');
      expect(answer.html).toContain('href="/settings/profile"');
    }
    expect((await here.post('/settings/profile/leave')).status).toBe(403);
  });
});

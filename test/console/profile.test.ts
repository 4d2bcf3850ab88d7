import { beforeEach, describe, expect, it } from '@jest/globals';

import { usePeople, type Visit } from '../support/browser/people.js';
import { newBrowser, signIn, whoIs } from '../support/browser/console.js';
import { createUser, mainOf, PASSWORD, type TestUser } from '../support/oauth/oauth.js';

const PROFILE = '/settings/profile';
const SESSIONS = '/settings/sessions?tenant=acme';

const people = usePeople();
let ada: TestUser;
let here: Visit;
beforeEach(async () => {
  await people.gatehouse.database.shiftClock('0 minutes');
  await people.gatehouse.database.query('DELETE FROM attempts; DELETE FROM account_links');
  ada = await createUser(people.gatehouse, [[people.acme, 'viewer']]);
  here = await people.signedIn(ada);
});

describe('the profile', () => {
  it('changes the name', async () => {
    expect(
      (await here.post(`${PROFILE}/name?tenant=acme`, { name: ' Ada Lovelace ' })).status,
    ).toBe(303);
    expect((await here.open(PROFILE)).html).toContain('value="Ada Lovelace"');
    const stale = { name: 'Countess', seen_name: 'Ada' };
    const late = await here.post(`${PROFILE}/name?tenant=acme`, stale);
    expect(late.status).toBe(409);
    const kept = late.html;
    expect(kept).toContain('value="Countess"');
    expect(kept).toContain('Your name was changed meanwhile');
    expect(kept).toContain('name="seen_name" value="Ada Lovelace"');
    for (const name of ['', 'x'.repeat(101), 'a\u202eb']) {
      expect((await here.post(`${PROFILE}/name?tenant=acme`, { name })).status).toBe(422);
    }
  });

  it('changes the address once it is confirmed by mail, in the session of the account', async () => {
    const email = `new-${ada.email}`;
    expect((await here.open(PROFILE)).html).toContain('Not confirmed');
    expect((await here.post(`${PROFILE}/email?tenant=acme`, { email })).status).toBe(303);
    const { link = '', text } = (await people.mailTo(email)) ?? {};
    expect(text).toContain(ada.email);
    expect(await whoIs(here.browser)).toBe(ada.email);

    const other = await people.signedIn(people.bob);
    expect((await other.open(link)).status).toBe(409);
    expect((await other.post('/confirm-email')).status).toBe(409);
    const anonymous = await newBrowser(people.gatehouse).open(link);
    expect(anonymous.url).toContain('/login?return_to=%2Fconfirm-email');

    const page = (await here.open(link)).html;
    expect(page).toContain(email);
    expect(page).toContain('From then on you use it to sign in with a password.');
    expect(await whoIs(here.browser)).toBe(ada.email);
    expect((await here.post('/confirm-email')).status).toBe(303);
    expect(await whoIs(here.browser)).toBe(email);
    expect((await here.open(PROFILE)).html).toContain('Confirmed');
    expect((await here.post('/confirm-email')).status).toBe(410);
    expect((await people.mailTo(ada.email))?.subject).toContain('your email address was changed');
  });

  it('asks for the password before another address, if the sign-in is older than 15 minutes', async () => {
    const email = `late-${ada.email}`;
    await people.gatehouse.database.shiftClock('16 minutes');
    const path = `${PROFILE}/email?tenant=acme`;
    expect((await here.post(path, { email: ada.email })).status).toBe(303);
    expect((await here.post(path, { email })).html).toContain('Confirm that it is you');
    expect(await people.mailTo(email)).toBeUndefined();
    const wrong = await here.post(path, { email, confirm_password: 'wrong' });
    expect([wrong.status, wrong.html.split('The password is incorrect.')]).toEqual([
      422,
      [expect.any(String), expect.any(String)],
    ]);
    expect((await here.post(path, { email, confirm_password: PASSWORD })).status).toBe(303);
    expect((await people.mailTo(email))?.link).toBeDefined();
  });

  it('does not reveal or take over an address of another account', async () => {
    const { email } = people.bob;
    expect((await here.post(`${PROFILE}/email?tenant=acme`, { email })).status).toBe(303);
    const link = (await people.mailTo(email))?.link ?? '';
    await here.open(link);
    expect((await here.post('/confirm-email')).status).toBe(409);
    expect(await whoIs(here.browser)).toBe(ada.email);
  });

  it('sends five mails an hour', async () => {
    const statuses = [];
    for (let times = 0; times < 6; times += 1) {
      const email = `n${times}-${ada.email}`;
      statuses.push((await here.post(`${PROFILE}/email?tenant=acme`, { email })).status);
    }
    expect(statuses).toEqual([303, 303, 303, 303, 303, 429]);
  });
});

describe('sessions', () => {
  it('are listed, and end one by one or all others at once', async () => {
    const browser = newBrowser(people.gatehouse);
    await signIn(browser, ada);
    const third = await people.signedIn(ada);
    const page = await here.open(SESSIONS);
    expect(mainOf(page).match(/127\.0\.0\.1/g)).toHaveLength(3);
    expect(mainOf(page).match(/This browser/g)).toHaveLength(1);

    const ends = [...page.html.matchAll(/action="(\/settings\/sessions\/[^"]+\/end\?[^"]+)"/g)];
    // The current one is first.
    const [, , latest = ''] = ends.map(([, action = '']) => action.replaceAll('&amp;', '&'));
    expect((await here.post(latest)).status).toBe(303);
    const ended = [await whoIs(browser), await whoIs(third.browser)];
    expect(ended.filter((email) => email === undefined)).toHaveLength(1);
    expect((await here.post('/settings/sessions/end-others?tenant=acme')).status).toBe(303);
    expect([await whoIs(browser), await whoIs(third.browser)]).toEqual([undefined, undefined]);
    expect(await whoIs(here.browser)).toBe(ada.email);
    expect((await people.audited('account.end_sessions')).length).toBeGreaterThanOrEqual(2);
  });

  it('cannot be ended by another account', async () => {
    const other = await people.signedIn(people.bob);
    const [, action = ''] =
      /action="(\/settings\/sessions\/[^"]+\/end\?[^"]+)"/.exec(
        (await other.open(SESSIONS)).html,
      ) ?? [];
    await here.post(action.replaceAll('&amp;', '&'));
    expect(await whoIs(other.browser)).toBe(people.bob.email);
  });
});

describe('the login page', () => {
  it('sends a signed-in browser on, and leads to a forgotten password', async () => {
    const answer = await here.browser.request('/login?return_to=%2Fsettings%2Fsessions');
    expect([answer.status, answer.headers.get('Location')]).toEqual([303, '/settings/sessions']);
    const page = await newBrowser(people.gatehouse).open('/login');
    expect(page.html).toContain('href="/forgot-password"');
  });
});

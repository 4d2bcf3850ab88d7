import { beforeEach, describe, expect, it } from '@jest/globals';

import { usePeople, sentOf, visit } from '../support/browser/people.js';
import {
  copyOf,
  csrfOfForm,
  newBrowser,
  postForm,
  signIn,
  whoIs,
} from '../support/browser/console.js';
import { createUser, PASSWORD, type TestUser } from '../support/oauth/oauth.js';

const NEW = 'another horse staple battery';
const SECRET = /bwp_lpw_\w{49}/;

const people = usePeople();
let ada: TestUser;
beforeEach(async () => {
  const { gatehouse, acme, server } = people;
  server.mails.length = 0;
  await gatehouse.database.query(
    'DELETE FROM attempts; DELETE FROM account_links; DELETE FROM outgoing_mail',
  );
  await gatehouse.database.shiftClock('0');
  ada = await createUser(gatehouse, [[acme, 'manager']]);
});

const open = () => newBrowser(people.gatehouse);
const canSignIn = async (password: string) =>
  (await signIn(open(), ada, { password })).url.includes('/settings');
/** Asks for a link, and what the page says. */
async function ask(email: string, browser = open()) {
  const page = await browser.open('/forgot-password');
  const sent = await sentOf(
    await postForm(browser, '/forgot-password', { csrf: csrfOfForm(page), email }),
  );
  return { ...sent, said: sent.html.replaceAll(email, '…').replaceAll(/value="[^"]*"/g, '') };
}
/** Opens a link in a browser, and the token of its form. */
async function follow(link: string, browser = open()) {
  const page = await browser.open(link);
  return { page, ...visit(browser, csrfOfForm(page)) };
}
const keysOf = ({ id }: TestUser) =>
  people.gatehouse.database.query('SELECT id FROM credentials WHERE created_by = $1', [id]);
const twice = (password: string) => ({ password, repeated: password });

describe('a forgotten password', () => {
  it('is replaced by a link from a mail, once, which ends all sessions and notices', async () => {
    const before = await people.signedIn(ada);
    expect((await ask(ada.email.toUpperCase())).status).toBe(200);
    const mail = await people.mailTo(ada.email);
    expect(mail?.subject).toBe('BuildWorkPro: set a new password');
    expect(mail?.link).toMatch(/^http:\/\/localhost:3000\/reset-password\?token=bwp_lpw_\w{49}$/);

    const { page, post, browser } = await follow(mail?.link ?? '');
    expect(page.url).toBe('http://localhost:3000/reset-password');
    expect(page.html).toContain(ada.email);
    expect(page.html).not.toMatch(SECRET);
    expect(page.html.match(/ autofocus/g)).toHaveLength(1);
    const copy = copyOf(browser, people.gatehouse);
    const weak = await post('/reset-password', twice('12345678'));
    expect([weak.status, weak.html]).toEqual([422, expect.stringContaining('common password')]);
    const done = await post('/reset-password', twice(NEW));
    expect([done.status, done.location]).toEqual([303, '/login?done=password']);

    expect((await browser.open('/login?done=password')).html).toContain(
      'Your new password is set.',
    );
    expect(await whoIs(before.browser)).toBeUndefined();
    expect(await canSignIn(PASSWORD)).toBe(false);
    expect(await canSignIn(NEW)).toBe(true);
    expect((await follow(mail?.link ?? '')).page.status).toBe(410);
    const replayed = visit(copy, csrfOfForm(page));
    expect((await replayed.post('/reset-password', twice(PASSWORD))).status).toBe(410);
    expect((await people.mailTo(ada.email))?.subject).toContain('your password was changed');
    expect((await people.audited('account.set_password')).at(-1)).toMatchObject({
      actor: ada.id,
      details: { by: 'link' },
    });
  });

  it('leaves no secret in the database or the log, and is not used by opening the link', async () => {
    await ask(ada.email);
    const link = (await people.mailTo(ada.email))?.link ?? '';
    const [secret = 'no secret'] = SECRET.exec(link) ?? [];
    for (let times = 0; times < 3; times += 1) {
      const answer = await open().request(link);
      expect(answer.status).toBe(303);
      expect(answer.headers.get('Cache-Control')).toBe('no-store');
      expect(answer.headers.get('Referrer-Policy')).toBe('no-referrer');
    }
    expect((await follow(link)).page.status).toBe(200);
    expect(await people.gatehouse.database.dump()).not.toContain(secret);
    expect(people.gatehouse.logged.join()).not.toContain(secret.slice(-20));
  });

  it('has the same answer and the same stored rows for an unknown address', async () => {
    const known = await ask(ada.email);
    const unknown = await ask('nobody@example.com');
    expect(unknown.said).toBe(known.said);
    const rows = await people.gatehouse.database.query<{ kind: string }>(
      'SELECT kind FROM outgoing_mail',
    );
    expect(rows).toEqual([{ kind: 'reset-password' }, { kind: 'reset-password' }]);
    await people.gatehouse.app.mail.deliver();
    expect(people.server.mails.map(({ to }) => to)).toEqual([[ada.email]]);
  });

  it('sends three mails an hour to an account, and takes 20 requests of an address', async () => {
    const pages = [];
    for (let times = 0; times < 5; times += 1) pages.push((await ask(ada.email)).said);
    expect(new Set(pages).size).toBe(1);
    await people.gatehouse.app.mail.deliver();
    expect(people.server.mailsTo(ada.email)).toHaveLength(3);
    const statuses = await Promise.all(
      Array.from(
        { length: 20 },
        async (_, index) => (await ask(`nobody-${index}@example.com`)).status,
      ),
    );
    expect(statuses.filter((status) => status === 429)).toHaveLength(5);
  });

  it('is set by one of two at once', async () => {
    await ask(ada.email);
    const link = (await people.mailTo(ada.email))?.link ?? '';
    const visits = await Promise.all([follow(link), follow(link)]);
    const answers = await Promise.all(
      visits.map(({ post }, index) => post('/reset-password', twice(`${NEW} ${index}`))),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([303, 410]);
  });

  it('cannot be set after an hour, with another form’s token, or by a planted cookie', async () => {
    await ask(ada.email);
    const { post, browser } = await follow((await people.mailTo(ada.email))?.link ?? '');
    expect((await visit(browser, 'wrong').post('/reset-password', twice(NEW))).status).toBe(403);
    const foreign = { ...twice(NEW), csrf: csrfOfForm(await browser.open('/reset-password')) };
    const origin = { Origin: 'https://evil.example' };
    expect((await postForm(browser, '/reset-password', foreign, origin)).status).toBe(403);
    for (const secret of ['', 'none', `bwp_lpw_${'0'.repeat(49)}`, 'x'.repeat(3000)]) {
      browser.cookies.set('gatehouse_link_reset_password /', secret);
      expect((await browser.open('/reset-password')).status).toBe(410);
    }
    await people.gatehouse.database.shiftClock('61 minutes');
    expect((await post('/reset-password', twice(NEW))).status).toBe(410);
    expect(await canSignIn(PASSWORD)).toBe(true);
  });

  it('is refused for something that is not an address', async () => {
    for (const email of [
      '',
      'ann',
      'a@example.com\nBcc: b@example.com',
      `${'a'.repeat(300)}@example.com`,
    ]) {
      expect((await ask(email)).status).toBe(422);
    }
    expect(await people.gatehouse.database.query('SELECT FROM outgoing_mail')).toEqual([]);
  });
});

describe('a change of the password', () => {
  it('asks for the current one, ends the other sessions, and keeps this one', async () => {
    const [here, there] = [await people.signedIn(ada), await people.signedIn(ada)];
    const stolen = copyOf(here.browser, people.gatehouse);
    const change = (current: string, password = NEW) =>
      here.post('/settings/profile/password?tenant=acme', { current, ...twice(password) });
    const wrong = await change('not this one');
    expect([wrong.status, wrong.html]).toEqual([
      422,
      expect.stringContaining('The password is incorrect.'),
    ]);
    expect((await change(PASSWORD, 'short')).status).toBe(422);

    const done = await change(PASSWORD);
    expect([done.status, done.location]).toEqual([303, expect.stringContaining('done=password')]);
    expect(await whoIs(here.browser)).toBe(ada.email);
    expect(await whoIs(there.browser)).toBeUndefined();
    expect(await whoIs(stolen)).toBeUndefined();
    expect(await canSignIn(PASSWORD)).toBe(false);
    expect(await canSignIn(NEW)).toBe(true);
    expect((await people.mailTo(ada.email))?.text).toContain('/forgot-password');
  });

  it('ends links that were sent to set one', async () => {
    await ask(ada.email);
    const link = (await people.mailTo(ada.email))?.link ?? '';
    const here = await people.signedIn(ada);
    await here.post('/settings/profile/password?tenant=acme', { current: PASSWORD, ...twice(NEW) });
    expect((await follow(link)).page.status).toBe(410);
  });

  it('is limited like sign-ins', async () => {
    const here = await people.signedIn(ada);
    const statuses = [];
    for (let times = 0; times < 12; times += 1) {
      const fields = { current: 'wrong', ...twice(NEW) };
      statuses.push((await here.post('/settings/profile/password?tenant=acme', fields)).status);
    }
    expect(statuses.slice(-1)).toEqual([429]);
  });
});

describe('a form that makes a secret', () => {
  it('asks for the password if the sign-in is older than 15 minutes, and is kept', async () => {
    const here = await people.signedIn(ada);
    const page = '/settings/tokens/new?tenant=acme';
    const token = (n: number) => ({
      name: 'Kept <name>',
      access: 'read',
      expires: '90',
      handle: String(n).repeat(22),
    });
    expect((await here.post(page, token(1))).location).toContain('/secret?');

    await people.gatehouse.database.shiftClock('16 minutes');
    const asked = await here.post(page, token(2));
    expect(asked.status).toBe(200);
    expect(asked.html).toContain('Confirm that it is you');
    expect(asked.html).toContain('value="Kept &lt;name&gt;"');
    const wrong = await here.post(page, { ...token(2), confirm_password: 'wrong' });
    expect([wrong.status, wrong.html]).toEqual([422, expect.stringContaining('incorrect')]);
    expect(wrong.html).toContain('value="Kept &lt;name&gt;"');
    expect(wrong.html).not.toContain('"wrong"');
    expect(wrong.html).toMatch(
      /id="confirm_password"[^>]* aria-describedby="confirm_password-error" aria-invalid="true"/,
    );

    const made = await here.post(page, { ...token(2), confirm_password: PASSWORD });
    expect((await here.open(made.location ?? '')).html).toMatch(/bwp_pat_\w{49}/);
    // Confirmed for the next 15 minutes.
    expect((await here.post(page, token(3))).location).toContain('/secret?');
  });

  it.each(['api-keys', 'machine-credentials'])('asks before a key of %s', async (section) => {
    const admin = await createUser(people.gatehouse, [[people.acme, 'company_admin']]);
    const here = await people.signedIn(admin);
    const kind = section === 'api-keys' ? 'secret' : 'agent';
    const base = `/settings/${section}`;
    const key = { kind, name: 'Kept <key>', scope: 'contacts:read', expires: '90' };
    const query = '?tenant=acme&env=live';
    await people.gatehouse.database.shiftClock('16 minutes');
    const create = { ...key, handle: 'C'.repeat(22) };
    const asked = await here.post(`${base}/new${query}`, create);
    expect([asked.status, asked.html]).toEqual([
      200,
      expect.stringContaining('value="Kept &lt;key&gt;"'),
    ]);
    for (const [path, fields] of [
      [`${base}/new${query}`, create],
      [`${base}/new${query}`, { ...create, confirm_password: 'wrong' }],
    ] as const) {
      const answer = await here.post(path, fields);
      expect(answer.html).toContain('name="confirm_password"');
      expect(await keysOf(admin)).toEqual([]);
    }
    const made = await here.post(`${base}/new${query}`, { ...create, confirm_password: PASSWORD });
    expect([made.status, made.location]).toEqual([303, expect.stringContaining('/secret?')]);
    expect((await here.browser.open(made.location ?? '')).html).toMatch(/bwp_\w+_\w{49}/);

    await people.gatehouse.database.shiftClock('32 minutes');
    const rotate = { overlap: '86400', handle: 'D'.repeat(22) };
    const address = (made.location ?? '').replace(/\/secret\?.*/, `/rotate${query}`);
    const again = await here.post(address, rotate);
    expect([again.status, again.html]).toEqual([200, expect.stringContaining('value="86400"')]);
    const wrong = await here.post(address, { ...rotate, confirm_password: 'wrong' });
    expect([wrong.status, wrong.html]).toEqual([422, expect.stringContaining('incorrect')]);
    expect(await keysOf(admin)).toHaveLength(1);
    const rotated = await here.post(address, { ...rotate, confirm_password: PASSWORD });
    expect([rotated.status, rotated.location]).toEqual([303, expect.stringContaining('/secret?')]);
  });
});

import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { usePeople, makeToken, visit, type Visit } from '../support/browser/people.js';
import { csrfOfForm, newBrowser, signIn, whoIs } from '../support/browser/console.js';
import { createTestApp } from '../support/app/app.js';
import { createUser, mainOf, PASSWORD, type TestUser } from '../support/oauth/oauth.js';

const MEMBERS = '/settings/members?tenant=acme';
const INVITE = '/settings/members/invite?tenant=acme';
const of = ({ id }: TestUser, more = '') => `/settings/members/of/${id}${more}?tenant=acme`;

const people = usePeople();
let admin: Visit;
beforeAll(async () => {
  admin = await people.signedIn(people.ann);
});
beforeEach(async () => {
  people.server.mails.length = 0;
  await people.gatehouse.database.query('DELETE FROM attempts; DELETE FROM invitations');
});

const invite = (emails: string, role = 'manager', by = admin) => by.post(INVITE, { emails, role });
async function linkFor(email: string): Promise<string> {
  await invite(email);
  return (await people.mailTo(email))?.link ?? 'no link';
}
async function follow(link: string, browser = newBrowser(people.gatehouse)) {
  const page = await browser.open(link);
  const [, id = ''] = /name="id" value="([^"]+)"/.exec(page.html) ?? [];
  return { page, id, ...visit(browser, csrfOfForm(page)) };
}
const account = (id: string) => ({ id, name: 'Carl', password: PASSWORD, repeated: PASSWORD });
const roleOf = async ({ email }: { email: string }) =>
  (
    await people.gatehouse.database.query<{ role: string }>(
      'SELECT role FROM memberships m JOIN accounts a ON a.id = m.account_id WHERE a.email = $1',
      [email],
    )
  )[0]?.role;

describe('the list of members', () => {
  it('shows role, last sign-in, tokens and apps to those who manage or oversee', async () => {
    const manager = await people.member('manager');
    await people.signedIn(people.bob);
    for (const user of [people.ann, manager]) {
      const text = mainOf(await (await people.signedIn(user)).open(MEMBERS));
      expect(text).toContain('bob@example.com');
      expect(text).toContain('Last sign-in');
      expect(text.includes('Invite members')).toBe(user === people.ann);
    }
    const found = mainOf(await (await people.signedIn(manager)).open(`${MEMBERS}&q=BOB%40`));
    expect([found.includes('bob@'), found.includes('ann@')]).toEqual([true, false]);
    const nobody = mainOf(await admin.open(`${MEMBERS}&q=%25`));
    expect(nobody).toContain('Nobody matches');
    expect(nobody).toContain('<a href="/settings/members?tenant=acme&amp;env=live">Clear</a>');
    expect(nobody).toContain('No invitation is pending.');
  });

  it('shows only names to others', async () => {
    const text = mainOf(await (await people.signedIn(people.bob)).open(MEMBERS));
    expect(text).toContain('Ada Example');
    expect(text).not.toContain('ann@example.com');
    expect(text).not.toContain('Last sign-in');
    const bob = await people.signedIn(people.bob);
    expect(mainOf(await bob.open(`${MEMBERS}&q=ADA`))).toContain('Ada Example');
    for (const path of [`${MEMBERS}&q=ann%40`, '/settings/search?tenant=acme&q=ann%40']) {
      expect(mainOf(await bob.open(path))).not.toMatch(/Ada Example|ann@example/);
    }
  });

  it('is read by pages', async () => {
    const tenant = await people.gatehouse.createTenant('many');
    const first = await createUser(people.gatehouse, [[tenant, 'company_admin']]);
    await people.gatehouse.database.query(
      `INSERT INTO accounts (id, email, password_hash)
         SELECT 'usr_0000000000000000000000' || lpad(n::text, 4, '0'), 'many' || n || '@example.com', 'x'
         FROM generate_series(1, 60) AS n`,
    );
    await people.gatehouse.database.query(
      `INSERT INTO memberships (account_id, tenant_id, role)
         SELECT id, $1, 'viewer' FROM accounts WHERE email LIKE 'many%'`,
      [tenant.id],
    );
    const visitor = await people.signedIn(first);
    const seen = new Set<string>();
    let path: string | undefined = '/settings/members?tenant=many';
    for (let pages = 0; path !== undefined && pages < 5; pages += 1) {
      const { html }: { html: string } = await visitor.open(path);
      for (const [email] of html.matchAll(/many\d+@example\.com/g)) seen.add(email);
      path = /href="([^"]+)" rel="next"/.exec(html)?.[1]?.replaceAll('&amp;', '&');
    }
    expect(seen.size).toBe(60);
  });

  it.each(['manager', 'member', 'field_crew', 'viewer'] as const)(
    'is changed by no %s',
    async (role) => {
      const visitor = await people.signedIn(await people.member(role));
      const answers = [
        await visitor.post(INVITE, { emails: 'x@example.com', role: 'viewer' }),
        await visitor.post(of(people.bob), { role: 'viewer' }),
        await visitor.post(of(people.bob, '/remove'), { email: people.bob.email }),
        await visitor.post('/settings/members/invitations/inv_1/withdraw?tenant=acme'),
      ];
      expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403]);
      expect((await visitor.open(of(people.bob))).status).toBe(403);
      expect(await roleOf(people.bob)).toBe('member');
    },
  );
});

describe('an invitation', () => {
  it('creates an account for the address, joins and signs in, once', async () => {
    const email = 'carl@example.com';
    const sent = await invite(`${email.toUpperCase()}\n dora@example.com`);
    expect([sent.status, sent.location]).toEqual([303, expect.stringContaining('done=invited')]);
    const mail = await people.mailTo(email);
    expect(mail?.subject).toBe('BuildWorkPro: you are invited to acme');
    expect(mail?.text).toContain(
      'Ada Example invites you to join “acme” at BuildWorkPro as Manager.',
    );
    const pending = mainOf(await admin.open(MEMBERS));
    expect(pending).toContain(email);
    expect(pending).toContain('dora@example.com');
    const log = mainOf(await admin.open('/settings/audit-log?tenant=acme'));
    expect(log).toMatch(/<\/bdi> invited <bdi[^>]*><strong>dora@example\.com</);

    const { page, id, post, browser } = await follow(mail?.link ?? '');
    expect(page.url).toBe('http://localhost:3000/invitation');
    expect((await post('/invitation', { ...account(id), name: ' ' })).status).toBe(422);
    expect((await post('/invitation', { ...account(id), repeated: 'x' })).status).toBe(422);
    expect((await post('/invitation', account(id))).status).toBe(303);
    expect(await whoIs(browser)).toBe(email);
    expect(await roleOf({ email })).toBe('manager');
    expect((await follow(mail?.link ?? '')).page.status).toBe(410);
    expect((await post('/invitation', account(id))).status).toBe(410);
    const [row] = await people.gatehouse.database.query<{ verified: boolean }>(
      'SELECT email_verified_at IS NOT NULL AS verified FROM accounts WHERE email = $1',
      [email],
    );
    expect(row?.verified).toBe(true);
    expect((await people.audited('account.create')).at(-1)?.['details']).toMatchObject({
      email,
      role: 'manager',
    });
  });

  it('is accepted by an existing account after its sign-in, and by no other', async () => {
    const bolt = await people.gatehouse.createTenant('bolt');
    const eve = await createUser(people.gatehouse, [[bolt, 'viewer']], 'eve@example.com');
    const link = await linkFor('eve@example.com');
    const anonymous = await follow(link);
    expect(anonymous.page.html).toContain('Sign in, then accept');
    expect(anonymous.page.html).not.toContain('name="password"');
    const other = await people.signedIn(people.bob);
    const wrong = await other.open(link);
    expect(wrong.html).toContain('The invitation is for another address.');
    const [, id = ''] = /"(inv_\w+)"/.exec((await follow(link)).page.html) ?? [];
    const refused = await other.post('/invitation', account(id));
    expect([refused.status === 303, await roleOf(eve)]).toEqual([false, 'viewer']);

    const right = await people.signedIn(eve);
    const { html } = await right.open(link);
    const [, its = ''] = /name="id" value="([^"]+)"/.exec(html) ?? [];
    expect((await right.post('/invitation', { id: its })).status).toBe(303);
    expect(mainOf(await right.open('/settings/profile?tenant=acme'))).toContain('acme');
  });

  it('waits while the organization is suspended, for a reason that the operator knows', async () => {
    const link = await linkFor('late@example.com');
    const suspend = 'UPDATE tenants SET suspended_at = ';
    await people.gatehouse.database.query(`${suspend} gatehouse_now() WHERE slug = 'acme'`);
    const { page } = await follow(link);
    expect(mainOf(page)).toContain('is suspended. The operator of this server knows why.');
    await people.gatehouse.database.query(`${suspend} NULL`);
    expect(mainOf((await follow(link)).page)).toContain('Create account and join');
  });

  it('is accepted once by two at once', async () => {
    const link = await linkFor('race@example.com');
    const visits = await Promise.all([follow(link), follow(link), follow(link)]);
    const answers = await Promise.all(
      visits.map(({ id, post }) => post('/invitation', account(id))),
    );
    expect(answers.map(({ status }) => status).filter((status) => status === 303)).toHaveLength(1);
    expect(
      await people.gatehouse.database.query(
        `SELECT FROM accounts WHERE email = 'race@example.com'`,
      ),
    ).toHaveLength(1);
  });

  it('ends when it is withdrawn, sent again, 7 days old, or its inviter manages no longer', async () => {
    const idOf = async () =>
      (await people.gatehouse.database.query<{ id: string }>('SELECT id FROM invitations'))[0]?.id;
    const first = await linkFor('dan@example.com');
    const path = `/settings/members/invitations/${await idOf()}`;
    expect((await admin.post(`${path}/resend?tenant=acme`)).status).toBe(303);
    const second = (await people.mailTo('dan@example.com'))?.link ?? '';
    expect((await follow(first)).page.status).toBe(410);
    expect((await follow(second)).page.status).toBe(200);
    await people.gatehouse.database.shiftClock('169 hours');
    expect((await follow(second)).page.status).toBe(410);
    await people.gatehouse.database.shiftClock('0');
    expect((await admin.post(`${path}/withdraw?tenant=acme`)).status).toBe(303);
    expect((await follow(second)).page.status).toBe(410);
    for (const again of ['withdraw', 'resend']) {
      const gone = await admin.post(`${path}/${again}?tenant=acme`);
      expect([again, gone.status]).toEqual([again, 409]);
      expect(gone.html).toContain('Somebody else has withdrawn the invitation');
    }

    const second_admin = await people.member('company_admin');
    const by = await people.signedIn(second_admin);
    await invite('late@example.com', 'company_admin', by);
    const link = (await people.mailTo('late@example.com'))?.link ?? '';
    expect((await follow(link)).page.status).toBe(200);
    await admin.post(of(second_admin), { role: 'viewer', confirmed: 'viewer' });
    expect((await follow(link)).page.status).toBe(410);
  });

  it('is refused with the fault of each address, and within limits', async () => {
    const faults = await invite('bob@example.com nonsense, "x y"@example.com');
    expect(faults.status).toBe(422);
    expect(faults.html).toContain('“nonsense” is not an email address.');
    const member = await invite('bob@example.com');
    expect(member.html).toContain('“bob@example.com” is a member already.');
    const many = Array.from({ length: 21 }, (_, index) => `p${index}@example.com`).join('\n');
    expect((await invite(many)).html).toContain('Invite at most 20 people at once.');
    expect((await invite('p@example.com', 'owner')).status).toBe(422);
    expect((await invite('twice@example.com')).status).toBe(303);
    expect((await invite('twice@example.com')).status).toBe(409);
    for (let times = 0; times < 6; times += 1) await invite('twice@example.com');
    const limited = await invite('twice@example.com');
    expect([limited.status, limited.headers.get('Retry-After')]).toEqual([429, expect.any(String)]);
    expect(await people.gatehouse.database.query('SELECT FROM invitations')).toHaveLength(1);
  });

  it('shows its link to copy, once, if the server sends no mail', async () => {
    const gatehouse = await createTestApp();
    const tenant = await gatehouse.createTenant('acme');
    const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    const browser = newBrowser(gatehouse);
    const by = visit(
      browser,
      /name="csrf-token" content="([^"]+)"/.exec((await signIn(browser, user)).html)?.[1] ?? '',
    );
    const answer = await by.post(INVITE, { emails: 'zoe@example.com', role: 'viewer' });
    const [link = ''] =
      /http:\/\/localhost:3000\/invitation\?token=bwp_inv_\w+/.exec(answer.html) ?? [];
    expect(answer.status).toBe(200);
    const list = await by.open(MEMBERS);
    expect(list.html).not.toContain('token=');
    expect(list.html).toContain('>New link<');
    await gatehouse.app.mail.deliver();
    expect(gatehouse.logged.join()).not.toContain(link.slice(-20));
    const page = await newBrowser(gatehouse).open(link);
    expect(page.html).toContain('zoe@example.com');
    await gatehouse.close();
  });
});

describe('a member', () => {
  it('gets another role, after the page has said what it cuts', async () => {
    const user = await people.member('manager');
    const visitor = await people.signedIn(user);
    await makeToken(visitor, { access: 'write' });
    const asked = await admin.post(of(user), { role: 'viewer' });
    expect(asked.status).toBe(200);
    expect(asked.html).toMatch(/1 token loses [^.]*:write[^.]* at once\./);
    expect(await roleOf(user)).toBe('manager');
    const other = await admin.post(of(user), { role: 'viewer', confirmed: 'member' });
    expect([other.status, await roleOf(user)]).toEqual([200, 'manager']);
    expect((await admin.post(of(user), { role: 'viewer', confirmed: 'viewer' })).status).toBe(303);
    expect(await roleOf(user)).toBe('viewer');
    expect((await admin.post(of(user), { role: 'king' })).status).toBe(422);
    expect(mainOf(await admin.open(of(user)))).toContain('name="seen" value="viewer"');
    const late = await admin.post(of(user), { role: 'member', seen: 'manager' });
    expect([late.status, late.html]).toEqual([409, expect.stringContaining('it is Viewer now.')]);
    expect(await roleOf(user)).toBe('viewer');
  });

  it('is removed with everything issued under the membership, once the email is entered', async () => {
    const user = await people.member('manager');
    const visitor = await people.signedIn(user);
    const secret = await makeToken(visitor);
    const me = () =>
      people.gatehouse.http.get('/api/v1/me').set('Authorization', `Bearer ${secret}`);
    expect((await me()).status).toBe(200);
    expect((await admin.open(of(user))).html).toContain('1 personal access token');
    expect((await admin.post(of(user, '/remove'), { email: 'bob@example.com' })).status).toBe(422);
    expect(
      (await admin.post(of(user, '/remove'), { email: ` ${user.email.toUpperCase()}` })).status,
    ).toBe(303);
    expect((await me()).status).toBe(401);
    expect((await visitor.open('/settings/tokens?tenant=acme')).status).toBe(403);
    expect((await admin.open(of(user))).status).toBe(404);
    expect((await people.audited('membership.delete')).at(-1)).toMatchObject({
      actor: people.ann.id,
    });
  });

  it('is not found in another organization', async () => {
    const bolt = await people.gatehouse.createTenant('other');
    const stranger = await createUser(people.gatehouse, [[bolt, 'viewer']]);
    expect((await admin.open(of(stranger))).status).toBe(404);
    expect((await admin.post(of(stranger, '/remove'), { email: stranger.email })).status).toBe(404);
    expect((await admin.post(of(stranger), { role: 'viewer' })).status).toBe(404);
  });

  it('stays if it is the last administrator, also when two leave at once', async () => {
    const tenant = await people.gatehouse.createTenant('two');
    const two = await Promise.all(
      [0, 1].map(() => createUser(people.gatehouse, [[tenant, 'company_admin']])),
    );
    const visits = await Promise.all(two.map((user) => people.signedIn(user)));
    const answers = await Promise.all(
      visits.map((by) => by.post('/settings/profile/leave?tenant=two')),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([303, 409]);
    expect(answers.map(({ location }) => location)).toContain('/settings/profile?done=left');
    const left = await people.gatehouse.database.query<{ role: string }>(
      'SELECT role FROM memberships WHERE tenant_id = $1',
      [tenant.id],
    );
    expect(left).toEqual([{ role: 'company_admin' }]);
    for (const path of [of(people.ann), '/settings/profile/leave?tenant=acme']) {
      const page = mainOf(await admin.open(path));
      expect(page).toContain('You are the last administrator of the organization.');
      expect(page).not.toContain('<form');
    }
    const own = await admin.post(of(people.ann), { role: 'viewer', confirmed: 'viewer' });
    expect([own.status, own.html]).toEqual([409, expect.stringContaining('last administrator')]);
    expect((await admin.post(of(people.ann, '/remove'), { email: 'ann@example.com' })).status).toBe(
      409,
    );
  });

  it('is removed by one of two administrators who remove each other', async () => {
    const tenant = await people.gatehouse.createTenant('duel');
    const two = await Promise.all(
      [0, 1].map(() => createUser(people.gatehouse, [[tenant, 'company_admin']])),
    );
    const visits = await Promise.all(two.map((user) => people.signedIn(user)));
    const answers = await Promise.all(
      visits.map((by, index) => {
        const { id, email } = two[1 - index] ?? people.ann;
        return by.post(`/settings/members/of/${id}/remove?tenant=duel`, { email });
      }),
    );
    expect(answers.map(({ status }) => status).filter((status) => status === 303)).toHaveLength(1);
  });
});

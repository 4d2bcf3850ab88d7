import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { createId } from '../../src/db/id.js';
import { postForm } from '../support/browser/console.js';
import { createUser, mainOf, type TestUser } from '../support/oauth/oauth.js';
import { createTokenPage, PAGE, type TokenPage } from '../support/browser/token-page.js';

let setting: TokenPage;
beforeAll(async () => {
  setting = await createTokenPage();
});
afterAll(() => setting.gatehouse.close());
beforeEach(() => setting.gatehouse.database.query('DELETE FROM attempts; DELETE FROM credentials'));

describe('a new token', () => {
  it('is shown once, in a field, on a page with no-store, and works', async () => {
    const me = await setting.signedIn();
    const page = await setting.create(me);
    const secret = page.secret;

    expect(page.status).toBe(200);
    expect(secret).toMatch(/^bwp_pat_\w{49}$/);
    expect(page.headers.get('Cache-Control')).toBe('no-store');
    expect(await setting.statusOf(secret)).toBe(200);
    const list = await me.browser.open(PAGE);
    expect(list.html).toContain('Laptop');
    expect(list.html).toContain(`bwp_pat_…${secret.slice(-4)}`);
    expect(list.html).not.toContain(secret);
    const again = await me.browser.open(page.shownAt);
    expect([again.html.includes('Already shown'), again.html.includes(secret)]).toEqual([
      true,
      false,
    ]);
    expect(setting.gatehouse.logged.join()).not.toContain(secret);
  });

  it('has read access, or all access of its owner’s role', async () => {
    const me = await setting.signedIn();
    await setting.create(me);
    await setting.create(me, { name: 'All', access: 'write' });
    const [read, write] = await setting.stored();
    expect(read?.scopes.every((scope) => scope.endsWith(':read'))).toBe(true);
    expect(write?.scopes).toContain('contacts:delete');
  });

  it('lists the scopes of each access, and says that writing includes managing keys', async () => {
    const form = async (user: TestUser) => {
      const page = await (await setting.signedIn(user)).browser.open(`${PAGE}/new?tenant=acme`);
      return mainOf(page);
    };
    const admin = await form(setting.ada);
    expect(admin).toContain('That includes managing the keys of the organization.');
    expect(admin).toMatch(/data-access="[^"]*contacts:delete[^"]*api_keys:manage/);
    // It means nothing on a token.
    expect(admin).not.toContain('value="offline_access"');
    const viewer = await form(setting.both);
    expect(viewer).not.toMatch(/managing the keys|data-access="[^"]*contacts:write/);
    expect(viewer).toMatch(/value="contacts:write"[^>]* disabled/);
    expect(viewer).toMatch(/<li>Grey boxes: your role cannot give this\.(<| <code>contacts:write)/);
  });

  it('has single scopes only, if they are chosen', async () => {
    const me = await setting.signedIn();
    const scope = ['contacts:read', 'leads:write'];
    await setting.create(me, { access: 'some', scope });
    expect((await setting.stored()).map(({ scopes }) => scopes)).toEqual([scope]);
    // The script ticks what the chosen access stands for.
    const { html } = await me.browser.open(`${PAGE}/new?tenant=acme`);
    const offered = [...html.matchAll(/name="scope" value="([^"]+)"(?![^>]* disabled)/g)];
    const ticked = offered.map(([, name = '']) => name);
    expect(ticked).toContain('contacts:write');
    expect((await setting.create(me, { access: 'write', scope: ticked })).status).toBe(200);
    // Without scripts, ticks beside another access must not be ignored.
    const wider = await setting.create(me, { access: 'write', scope });
    expect([wider.status, wider.text]).toEqual([
      422,
      expect.stringContaining('Single scopes are ticked below.'),
    ]);
    const none = await setting.create(me, { access: 'some' });
    expect([none.status, none.text]).toEqual([
      422,
      expect.stringContaining('Choose at least one scope'),
    ]);
    const viewer = await setting.signedIn(setting.both);
    expect((await setting.create(viewer, { access: 'some', scope })).status).toBe(422);
    expect(await setting.stored()).toHaveLength(2);
  });

  it.each([
    ['30', 30],
    ['90', 90],
    ['365', 365],
    ['never', null],
  ])('expires after %s', async (expires, days) => {
    await setting.create(await setting.signedIn(), { expires });
    expect((await setting.stored()).map((row) => row.days)).toEqual([days]);
  });

  it('may enter the ticked spaces, or all', async () => {
    const tenant = await setting.gatehouse.createTenant(
      `spaces-${createId('tnt').slice(-8).toLowerCase()}`,
    );
    const me = await setting.signedIn(await createUser(setting.gatehouse, [[tenant, 'member']]));
    expect((await me.browser.open(`${PAGE}/new`)).html).not.toContain('name="space"');
    const ids = [createId('spc'), createId('spc')] as const;
    for (const id of ids) {
      await setting.gatehouse.database.query(
        'INSERT INTO spaces (id, tenant_id, name, is_default) VALUES ($1, $2, $3, false)',
        [id, tenant.id, `Site ${id.slice(-3)}`],
      );
    }
    await setting.create(me, { space: ids }, tenant.slug);
    await setting.create(me, {}, tenant.slug);
    const [some, all] = await setting.stored();
    expect(some?.spaces?.toSorted()).toEqual(ids.toSorted());
    expect(all?.spaces).toBeNull();
    expect((await me.browser.open(PAGE)).html).toContain(`>Site ${ids[0].slice(-3)}</bdi>`);
  });
});

describe('a fault of the form', () => {
  it.each([
    ['no name', { name: '' }, 'name', 'Give it a name of 1 to 100 characters.'],
    ['spaces for a name', { name: '  ' }, 'name', 'Give it a name of 1 to 100 characters.'],
    ['too long a name', { name: 'x'.repeat(101) }, 'name', 'Give it a name of 1 to 100'],
    ['a name that cannot be stored', { name: 'a\0b' }, 'name', 'Give it a name of 1 to 100'],
    ['no access', { access: '' }, 'scopes', 'Choose at least one scope'],
    ['another access', { access: 'admin' }, 'scopes', 'Choose at least one scope'],
    ['no day', { expires: 'date' }, 'expires', 'Choose a day in the future.'],
    ['no address', { allowedIps: 'home' }, 'allowedIps', '“home” is not an address'],
  ])('is shown beside its field: %s', async (_what, fields, field, sentence) => {
    const page = await setting.create(await setting.signedIn(), fields);
    expect(page.status).toBe(422);
    const fault = new RegExp(`id="${field}-error">([^<]*)<`).exec(page.html)?.[1];
    expect(fault).toContain(sentence);
    expect(page.html).toMatch(new RegExp(`aria-describedby="(?:${field}-hint )?${field}-error"`));
    expect(await setting.stored()).toEqual([]);
  });

  it('keeps the values of the fields', async () => {
    const page = await setting.create(await setting.signedIn(), {
      name: '"><i>',
      access: 'write',
      allowedIps: 'x',
    });
    expect(page.html).toContain('value="&quot;&gt;&lt;i&gt;"');
    expect(page.html).toContain('value="write" required checked');
  });

  it('is a space of another tenant', async () => {
    const [space] = await setting.gatehouse.database.query<{ id: string }>(
      'SELECT id FROM spaces WHERE tenant_id = $1',
      [setting.bolt.id],
    );
    const page = await setting.create(await setting.signedIn(), { space: space?.id ?? '' });
    expect(page.status).toBe(422);
    expect(page.text).toContain('Choose from the listed spaces, 100 at most.');
    expect(await setting.stored()).toEqual([]);
  });
});

describe('the list', () => {
  it('shows active tokens, the others behind a filter, by pages of 25', async () => {
    const me = await setting.signedIn();
    await setting.create(me, { name: 'Phone', environment: 'test' });
    await setting.gatehouse.database.query(
      `INSERT INTO credentials (id, tenant_id, kind, environment, name, scopes, principal_kind,
         principal_id, digest, digest_key_id, masked_key, subjects, issue_seq, created_by, expires_at)
       SELECT 'key_' || n, $1, 'personal', 'live', 'Token ' || n, '{leads:read}', 'user', $2,
         'digest ' || n, 'none', 'x', ARRAY['key_' || n, $1], nextval('issue_order'), $2,
         CASE WHEN n <= 3 THEN gatehouse_now() END
       FROM generate_series(1, 33) AS n`,
      [setting.acme.id, setting.ada.id],
    );
    const open = async (path: string) => mainOf(await me.browser.open(path));
    const names = (page: string): string[] => page.match(/>(?:Token \d+|Phone)</g) ?? [];
    const first = await open(`${PAGE}?tenant=acme`);
    expect([names(first).length, first.includes('25 of 31 tokens')]).toEqual([25, true]);
    expect(first).toMatch(/class="button primary" href="\/settings\/tokens\/new/);
    const next = /href="([^"]+)" rel="next"/.exec(first)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const second = names(await open(next));
    expect([second.length, second.includes('>Phone<')]).toEqual([6, true]);
    expect(names(await open(`${PAGE}?tenant=acme&status=expired`))).toHaveLength(3);
    expect(names(await open(`${PAGE}?tenant=acme&search=phone`))).toEqual(['>Phone<']);
    const nothing = await open(`${PAGE}?tenant=acme&search=nothing`);
    expect(nothing).toContain('No token matches these filters.');

    // A cursor of another person leads to the first page of one's own.
    const other = await setting.signedIn(setting.both);
    const theirs = mainOf(await other.browser.open(next));
    expect(names(theirs)).toEqual([]);
    expect(mainOf(await other.browser.open(`${PAGE}?tenant=acme`))).toContain('No tokens yet');
  });
});

describe('the page of a token', () => {
  const at = (id = '', more = '', tenant = 'acme') => `${PAGE}/${id}${more}?tenant=${tenant}`;

  it('shows its facts, renames it and rotates it', async () => {
    const me = await setting.signedIn();
    const old = (await setting.create(me)).secret;
    const [row] = await setting.stored();
    const page = mainOf(await me.browser.open(at(row?.id)));
    const never = 'A token that never expires works until somebody revokes it';
    for (const text of ['contacts:read', 'Last 24 hours', 'Audit trail', 'Revoke', never]) {
      expect(page).toContain(text);
    }
    expect(page).not.toContain('Requests a minute');
    const fields = {
      csrf: me.csrf,
      seen: /name="seen" value="([^"]+)"/.exec(page)?.[1] ?? '',
      name: 'Work laptop',
      expires: 'never',
    };
    expect((await postForm(me.browser, at(row?.id), fields)).status).toBe(303);
    expect(mainOf(await me.browser.open(PAGE))).toContain('Work laptop');

    const rotation = { csrf: me.csrf, overlap: '0', handle: 'R'.repeat(22) };
    const made = await postForm(me.browser, at(row?.id, '/rotate'), rotation);
    const shown = await me.browser.open(made.headers.get('Location') ?? '');
    const secret = /id="secret"[^>]*>([^<]+)</.exec(shown.html)?.[1] ?? '';
    expect([await setting.statusOf(old), await setting.statusOf(secret)]).toEqual([401, 200]);
  });

  it('revokes it from the next request on, by its name if it was used', async () => {
    const me = await setting.signedIn();
    const name = 'Two "words" & <more>';
    const secret = (await setting.create(me, { name })).secret;
    const [row] = await setting.stored();
    expect(await setting.statusOf(secret)).toBe(200);
    await setting.gatehouse.app.activity.flush();
    const revoke = (confirm: string) =>
      postForm(me.browser, at(row?.id, '/revoke'), { csrf: me.csrf, confirm });
    expect((await revoke('')).status).toBe(409);
    const answer = await revoke(name);
    expect(answer.status).toBe(303);
    expect(await setting.statusOf(secret)).toBe(401);
    const list = mainOf(await me.browser.open(answer.headers.get('Location') ?? ''));
    expect(list).toContain('The token is revoked.');
    expect(list).not.toContain('&lt;more&gt;');
    const revoked = mainOf(await me.browser.open(`${PAGE}?tenant=acme&status=revoked`));
    expect(revoked).toContain('&lt;more&gt;');
    expect((await revoke(name)).status).toBe(303);
  });

  it('answers 404 to everybody but its owner', async () => {
    const secret = (await setting.create(await setting.signedIn())).secret;
    const [row] = await setting.stored();
    const other = await setting.signedIn(setting.both);
    for (const tenant of ['acme', 'bolt']) {
      expect((await other.browser.open(at(row?.id, '', tenant))).status).toBe(404);
      for (const action of ['', '/revoke', '/rotate', '/end']) {
        const fields = { csrf: other.csrf, confirm: 'Laptop', overlap: '0' };
        const answer = await postForm(other.browser, at(row?.id, action, tenant), fields);
        expect(answer.status).toBe(404);
      }
    }
    expect((await other.browser.open(`${PAGE}?tenant=acme`)).html).not.toContain('Laptop');
    expect(await setting.statusOf(secret)).toBe(200);
  });

  it('shows no key of the organization, to an administrator either', async () => {
    const key = await setting.gatehouse.createKey(setting.acme, { name: 'Export' });
    const me = await setting.signedIn();
    expect((await me.browser.open(at(key.id))).status).toBe(404);
    await setting.create(me);
    const [, token] = await setting.stored();
    expect((await me.browser.open(`/settings/api-keys/${token?.id}?tenant=acme`)).status).toBe(404);
    expect(await setting.statusOf(key.secret)).toBe(200);
  });
});

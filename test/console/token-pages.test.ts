import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { createId } from '../../src/db/id.js';
import { postForm } from '../support/browser/console.js';
import { createUser, mainOf } from '../support/oauth/oauth.js';
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
    expect(setting.gatehouse.logged.join()).not.toContain(secret);
  });

  it('has read access, or all access of its owner’s role', async () => {
    const me = await setting.signedIn();
    await setting.create(me);
    await setting.create(me, { name: 'All', access: 'write' });
    const [read, write] = await setting.stored();
    expect(read?.scopes.every((scope) => scope.endsWith(':read'))).toBe(true);
    expect(write?.scopes).toContain('contacts:delete');

    const page = (await me.browser.open(PAGE)).html;
    expect(page).toContain(`Read <small>${read?.scopes.length} scopes</small>`);
    expect(page).toContain(`Read and write <small>${write?.scopes.length} scopes</small>`);
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
    expect((await me.browser.open(PAGE)).html).not.toContain('name="space"');
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
    expect((await me.browser.open(PAGE)).html).toContain(`<bdi>Site ${ids[0].slice(-3)}</bdi>`);
  });
});

describe('a fault of the form', () => {
  it.each([
    ['no name', { name: '' }, 'name', 'Give it a name of 1 to 100 characters.'],
    ['spaces for a name', { name: '  ' }, 'name', 'Give it a name of 1 to 100 characters.'],
    ['too long a name', { name: 'x'.repeat(101) }, 'name', 'Give it a name of 1 to 100'],
    ['a name that cannot be stored', { name: 'a\0b' }, 'name', 'Give it a name of 1 to 100'],
    ['no access', { access: '' }, 'access', 'Choose what it may do.'],
    ['another access', { access: 'admin' }, 'access', 'Choose what it may do.'],
    ['another expiry', { expires: '10000' }, 'expires', 'Choose when it expires.'],
  ])('is shown beside its field: %s', async (_what, fields, field, sentence) => {
    const page = await setting.create(await setting.signedIn(), fields);
    expect(page.status).toBe(422);
    const fault = new RegExp(`id="${field}-error">([^<]*)<`).exec(page.html)?.[1];
    expect(fault).toContain(sentence);
    expect(page.html).toContain(`aria-describedby="${field}-error"`);
    expect(await setting.stored()).toEqual([]);
  });

  it('keeps the values of the fields', async () => {
    const page = await setting.create(await setting.signedIn(), {
      name: '"><i>',
      access: 'write',
      expires: 'x',
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
    expect(page.text).toContain('Choose from the listed spaces.');
    expect(await setting.stored()).toEqual([]);
  });
});

describe('revoking a token', () => {
  it('needs a confirmation, and takes effect from the next request on', async () => {
    const me = await setting.signedIn();
    const secret = (await setting.create(me)).secret;
    const [row] = await setting.stored();
    const link = `${PAGE}/${row?.id}/revoke?tenant=acme&env=live`;
    const html = link.replace('&', '&amp;');
    expect((await me.browser.open(PAGE)).html).toContain(`href="${html}"`);
    const asked = await me.browser.open(link);
    expect(mainOf(asked)).toContain('Revoke <bdi>Laptop</bdi>?');
    expect(await setting.statusOf(secret)).toBe(200);

    const answer = await postForm(me.browser, link, { csrf: me.csrf });
    expect(answer.status).toBe(303);
    expect(await setting.statusOf(secret)).toBe(401);
    const list = await me.browser.open(answer.headers.get('Location') ?? '');
    expect(mainOf(list)).toContain('The token is revoked.');
    expect(mainOf(list)).toContain('<small class="state">revoked</small>');
    expect(list.html).not.toContain(html);
  });

  it('also revokes one that was used, and twice is not an error', async () => {
    const me = await setting.signedIn();
    const secret = (await setting.create(me, { name: 'Two "words" & <more>' })).secret;
    expect(await setting.statusOf(secret)).toBe(200);
    await setting.gatehouse.app.activity.flush();
    const [row] = await setting.stored();
    const link = `${PAGE}/${row?.id}/revoke?tenant=acme`;
    expect((await postForm(me.browser, link, { csrf: me.csrf })).status).toBe(303);
    expect((await postForm(me.browser, link, { csrf: me.csrf })).status).toBe(303);
    expect(new URL((await me.browser.open(link)).url).pathname).toBe(PAGE);
  });

  it('answers 404 to everybody but its owner', async () => {
    const secret = (await setting.create(await setting.signedIn())).secret;
    const [row] = await setting.stored();
    const other = await setting.signedIn(setting.both);
    for (const tenant of ['acme', 'bolt']) {
      const link = `${PAGE}/${row?.id}/revoke?tenant=${tenant}`;
      expect((await other.browser.open(link)).status).toBe(404);
      expect((await postForm(other.browser, link, { csrf: other.csrf })).status).toBe(404);
    }
    expect((await other.browser.open(`${PAGE}?tenant=acme`)).html).not.toContain('Laptop');
    expect(await setting.statusOf(secret)).toBe(200);
  });
});

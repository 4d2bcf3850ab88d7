import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { createTenantStore } from '../../src/tenants/tenant-store.js';
import { newBrowser, postForm, signIn } from '../support/browser/console.js';
import { createUser, mainOf, readForm } from '../support/oauth/oauth.js';
import { createTokenPage, NEW, PAGE, type TokenPage } from '../support/browser/token-page.js';

let setting: TokenPage;
beforeAll(async () => {
  setting = await createTokenPage();
});
afterAll(() => setting.gatehouse.close());
beforeEach(() => setting.gatehouse.database.query('DELETE FROM attempts; DELETE FROM credentials'));

describe('the tenant of the page', () => {
  it('is chosen among those of the visitor, and named by every form and link', async () => {
    const me = await setting.signedIn(setting.both);
    const page = await me.browser.open(`${PAGE}?tenant=bolt`);
    expect(page.html).toContain(
      '<a href="/settings/tokens?tenant=acme&amp;env=live"><bdi dir="auto">acme</bdi> <small>Viewer',
    );
    expect(page.html).toContain('aria-current="true"><bdi dir="auto">bolt</bdi>');
    expect(page.html).toContain('href="/settings/tokens/new?tenant=bolt&amp;env=live"');
    const form = await me.browser.open(`${PAGE}/new?tenant=bolt`);
    expect(form.html).toContain('action="/settings/tokens/new?tenant=bolt&amp;env=live"');
    await setting.create(me, {}, 'bolt');
    expect((await setting.stored()).map((row) => row.tenant_id)).toEqual([setting.bolt.id]);
    expect((await me.browser.open(`${PAGE}?tenant=acme`)).html).toContain('No tokens yet');
  });

  it('is not a choice if there is only one', async () => {
    const { html } = await (await setting.signedIn()).browser.open(PAGE);
    expect(html).not.toContain('<details class="dropdown organization">');
  });

  it('must be named by a form that creates a token', async () => {
    const { browser, csrf } = await setting.signedIn(setting.both);
    const answer = await postForm(browser, `${PAGE}/new`, { csrf, ...NEW });
    expect(answer.status).toBe(400);
    expect(await setting.stored()).toEqual([]);
  });

  it('is never one that the visitor does not belong to, and read-only if it is suspended', async () => {
    const me = await setting.signedIn();
    for (const slug of ['bolt', 'nothing']) {
      expect((await me.browser.open(`${PAGE}?tenant=${slug}`)).status).toBe(403);
      expect((await setting.create(me, {}, slug)).status).toBe(403);
    }
    const store = createTenantStore(setting.gatehouse.dataSource.manager);
    await store.setSuspended(setting.acme.id, true);
    const readOnly = await me.browser.open(PAGE);
    expect([readOnly.status, mainOf(readOnly)]).toEqual([
      200,
      expect.stringContaining('The organization is suspended.'),
    ]);
    expect((await setting.create(me)).status).toBe(403);
    // An account with another tenant sees that one.
    const other = await (await setting.signedIn(setting.both)).browser.open(PAGE);
    expect(other.html).toContain('aria-current="true"><bdi dir="auto">bolt</bdi>');
    expect(other.html).toContain('<bdi dir="auto">acme</bdi> <small>Viewer, suspended');
    await store.setSuspended(setting.acme.id, false);
    expect(await setting.stored()).toEqual([]);
  });

  it('is absent for a user without a tenant, who can still sign out', async () => {
    const page = await signIn(
      newBrowser(setting.gatehouse),
      await createUser(setting.gatehouse, []),
    );
    expect(page.status).toBe(200);
    expect(mainOf(page)).toContain('You belong to no organization.');
    expect(page.html).toContain('Sign out');
  });
});

describe('another site', () => {
  it.each([
    ['without a token', {}, {}],
    ['with a token of another browser', { csrf: 'foreign' }, {}],
    ['with two tokens', { csrf: 'twice' }, {}],
    ['with ours, as if it had leaked', { csrf: 'ours' }, { Origin: 'https://evil.example' }],
    ['from a sibling domain', { csrf: 'ours' }, { 'Sec-Fetch-Site': 'same-site' }],
  ])(
    'creates and revokes nothing: %s',
    async (_how, { csrf: which }: { csrf?: string }, headers) => {
      const me = await setting.signedIn();
      const other = await setting.signedIn(setting.both);
      const secret = (await setting.create(me)).secret;
      const [row] = await setting.stored();
      const tokens = { foreign: other.csrf, ours: me.csrf, twice: [me.csrf, me.csrf] };
      const csrf = which === undefined ? [] : tokens[which as keyof typeof tokens];
      const revoke = `${PAGE}/${row?.id}/revoke?tenant=acme`;
      for (const [path, fields] of [
        [`${PAGE}/new?tenant=acme`, NEW],
        [revoke, {}],
      ] as const) {
        const answer = await postForm(me.browser, path, { ...fields, csrf }, headers);
        expect(answer.status).toBe(403);
        expect(answer.headers.get('Content-Type')).toBe('text/html; charset=utf-8');
      }
      expect(await setting.stored()).toHaveLength(1);
      expect(await setting.statusOf(secret)).toBe(200);
    },
  );

  it('cannot inject markup through a name', async () => {
    const name = `</title></style></bdi>'"><script>alert(1)</script><img src=x>`;
    const me = await setting.signedIn();
    const made = await setting.create(me, { name });
    const [row] = await setting.stored();
    const pages = [made, await me.browser.open(PAGE), await me.browser.open(`${PAGE}/${row?.id}`)];
    for (const { html } of pages) {
      expect(html).toContain('&lt;script&gt;alert(1)');
      expect(html).not.toMatch(/<script>|<img/);
    }
    expect(readForm(made.html).action).toBe('/logout');
  });
});

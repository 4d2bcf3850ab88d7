import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Role } from '../../src/scopes/roles.js';
import { createTenantStore } from '../../src/tenants/index.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createSpace, defaultSpaceOf } from '../support/app/spaces.js';
import { callApi, csrfOf, newBrowser, postForm, signIn } from '../support/browser/console.js';
import { createUser, mainOf, type Browser } from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const SPACES = '/settings/spaces';
const GENERAL = '/settings/general';
const LONG = 'x'.repeat(101);
const HOSTILE = '"><script>alert(1)</script>';

interface Visitor {
  readonly id: string;
  readonly browser: Browser;
  readonly csrf: string;
}

const gatehouse = useGatehouse();
let acme: Tenant;
let admin: Visitor;
beforeAll(async () => {
  acme = await gatehouse.createTenant('acme');
  admin = await signedIn('company_admin');
});

async function signedIn(role: Role, tenant = acme): Promise<Visitor> {
  const user = await createUser(gatehouse, [[tenant, role]]);
  const browser = newBrowser(gatehouse);
  await signIn(browser, user);
  const csrf = csrfOf(await browser.open('/settings/tokens'));
  await gatehouse.database.query('DELETE FROM attempts');
  return { id: user.id, browser, csrf };
}

const open = (path: string, { browser }: Visitor = admin, slug = 'acme') =>
  browser.open(`${path}?tenant=${slug}`);
const post = async (
  path: string,
  fields: Record<string, string>,
  { browser, csrf }: Visitor = admin,
  slug = 'acme',
) => {
  const answer = await postForm(browser, `${path}?tenant=${slug}`, { csrf, ...fields });
  return {
    status: answer.status,
    location: answer.headers.get('Location'),
    html: await answer.text(),
  };
};
const audited = (action: string) =>
  gatehouse.database.query<{ actor: string; subject: string; details: unknown }>(
    'SELECT actor, subject, details FROM audit_log WHERE action = $1 ORDER BY at DESC, id DESC',
    [action],
  );

describe('the frame', () => {
  it('offers live and test on every page, and names the environment in the address', async () => {
    const { html } = await open(GENERAL);
    const sidebar = /<nav id="menu"[^]*?<\/nav>/.exec(html)?.[0] ?? '';
    const paths = [...sidebar.matchAll(/href="(\/settings\/[^?"]+)/g)].map(([, path = '']) => path);
    expect(paths.length).toBeGreaterThan(10);
    for (const path of paths) {
      for (const env of ['live', 'test']) {
        const page = (await admin.browser.open(`${path}?tenant=acme&env=${env}`)).html;
        for (const other of ['live', 'test']) {
          const current = other === env ? ' aria-current="true"' : '';
          const link = `<a href="${path}?tenant=acme&amp;env=${other}"${current}>`;
          expect([path, page]).toEqual([path, expect.stringContaining(link)]);
        }
        expect([path, env, page.includes('class="strip"')]).toEqual([path, env, env === 'test']);
      }
    }
  });

  it('lists organizations as people count', async () => {
    const tenants = [];
    for (const number of [10, 2, 1]) tenants.push(await gatehouse.createTenant(`north-${number}`));
    const memberships = tenants.map((tenant): [Tenant, Role] => [tenant, 'viewer']);
    const browser = newBrowser(gatehouse);
    await signIn(browser, await createUser(gatehouse, memberships));
    const { html } = await browser.open(GENERAL);
    const list = /<ul id="organizations">[^]*?<\/ul>/.exec(html)?.[0] ?? '';
    const names = [...list.matchAll(/<bdi[^>]*>([^<]+)/g)].map(([, name]) => name);
    expect(names).toEqual(['north-1', 'north-2', 'north-10']);
  });
});

describe('the page of spaces', () => {
  it('lists, creates and renames, with entries in the audit log', async () => {
    const created = await post(`${SPACES}/new`, { name: HOSTILE });
    expect([created.status, created.location]).toEqual([
      303,
      '/settings/spaces?tenant=acme&env=live&done=created',
    ]);
    const list = await open(SPACES);
    expect(list.html).toContain('&lt;script&gt;alert(1)');
    expect(list.html).not.toContain('<script>alert');
    const [entry] = await audited('space.create');
    expect(entry).toMatchObject({ actor: admin.id, details: { name: HOSTILE } });

    const rename = `${SPACES}/${entry?.subject}/rename`;
    expect((await open(rename)).html).toContain('type="hidden" name="seen"');
    expect((await post(rename, { name: 'West', seen: HOSTILE })).status).toBe(303);
    expect(mainOf(await open(SPACES))).toContain('<bdi dir="auto">West</bdi>');
    expect((await post(rename, { name: 'West', seen: 'West' })).location).toMatch(/done=same$/);
    const stale = await post(rename, { name: 'North', seen: HOSTILE });
    expect(stale.status).toBe(409);
    expect(stale.html).toContain('value="North"');
    expect(stale.html).toContain('The space is called West now.');
  });

  it.each([
    ['', 422],
    [LONG, 422],
    ['two\nlines', 422],
    ['DEFAULT', 409],
  ])('keeps what was typed when it refuses the name %j', async (name, status) => {
    const answer = await post(`${SPACES}/new`, { name });
    expect(answer.status).toBe(status);
    expect(answer.html).toContain('id="name-error"');
    if (status === 409) expect(answer.html).toContain('value="DEFAULT"');
  });

  it('turns pages of 25', async () => {
    const many = await gatehouse.createTenant('many');
    for (let index = 0; index < 30; index += 1)
      await createSpace(gatehouse, many, `Space ${index}`);
    const visitor = await signedIn('company_admin', many);
    const first = mainOf(await open(SPACES, visitor, 'many'));
    const next = /href="([^"]+)" rel="next"/.exec(first)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const second = mainOf(await visitor.browser.open(next));
    const names = [...(first + second).matchAll(/<bdi dir="auto">(Space \d+)<\/bdi>/g)].map(
      ([, name]) => name,
    );
    expect(new Set(names).size).toBe(30);
    expect(second).toContain('First page');
  });

  it('lets others only look, by the page and by the API of their session', async () => {
    const id = await defaultSpaceOf(gatehouse, acme);
    for (const role of ['manager', 'member', 'field_crew', 'viewer'] as const) {
      const visitor = await signedIn(role);
      const page = await open(SPACES, visitor);
      expect([role, page.status]).toEqual([role, 200]);
      expect(page.html).not.toContain('/spaces/new');
      expect(page.html.includes(id)).toBe(role === 'manager');
      for (const path of [`${SPACES}/new`, `${SPACES}/${id}/rename`]) {
        expect((await open(path, visitor)).status).toBe(403);
        expect((await post(path, { name: 'Theirs' }, visitor)).status).toBe(403);
      }
      const headers = { 'X-CSRF-Token': visitor.csrf };
      const answer = await callApi(visitor.browser, 'POST', '/api/v1/spaces', headers, {
        name: 'X',
      });
      expect(answer.status).toBe(403);
    }
    const headers = { 'X-CSRF-Token': admin.csrf };
    const made = await callApi(admin.browser, 'POST', '/api/v1/spaces', headers, {
      name: 'By API',
    });
    expect(made.status).toBe(201);
    expect((await audited('space.create'))[0]).toMatchObject({ actor: admin.id });
    expect((await callApi(admin.browser, 'POST', '/api/v1/spaces', {}, { name: 'Y' })).status).toBe(
      401,
    );
  });

  it('never reaches another tenant, nor forms without their token', async () => {
    const other = await gatehouse.createTenant('other');
    const foreign = await createSpace(gatehouse, other, 'Foreign');
    const path = `${SPACES}/${foreign}/rename`;
    expect((await open(path)).status).toBe(404);
    expect((await post(path, { name: 'Mine' })).status).toBe(404);
    expect((await open(SPACES, admin, 'other')).status).toBe(403);
    expect((await post(`${SPACES}/new`, { name: 'Forged', csrf: 'wrong' })).status).toBe(403);
  });
});

describe('the page of an organization', () => {
  it('shows name, ids and issuer, and renames with an entry before and after', async () => {
    const html = mainOf(await open(GENERAL));
    for (const value of [acme.id, 'acme', gatehouse.config.ISSUER]) {
      expect(html).toContain(`data-copy="${value}"`);
    }
    const renamed = await post(GENERAL, { name: '  Acme & Söhne  ', seen: 'acme' });
    expect(renamed.location).toBe('/settings/general?tenant=acme&env=live&done=renamed');
    expect(mainOf(await open(GENERAL))).toContain('value="Acme &amp; Söhne"');
    expect((await audited('tenant.update'))[0]).toEqual({
      actor: admin.id,
      subject: acme.id,
      details: { before: { name: 'acme' }, after: { name: 'Acme & Söhne' } },
    });
    const stale = await post(GENERAL, { name: 'Late', seen: 'acme' });
    expect(stale.status).toBe(409);
    expect(stale.html).toContain('Acme &amp; Söhne');
    expect((await post(GENERAL, { name: LONG })).status).toBe(422);
    const same = await post(GENERAL, { name: 'Acme & Söhne', seen: 'Acme & Söhne' });
    expect(same.location).toMatch(/done=same$/);
    expect((await admin.browser.open(same.location ?? '')).html).toContain('Nothing was changed.');
    expect(await audited('tenant.update')).toHaveLength(1);
  });

  it('can be changed by administrators only, and not while suspended', async () => {
    for (const role of ['manager', 'viewer'] as const) {
      const visitor = await signedIn(role);
      const page = await open(GENERAL, visitor);
      expect(page.status).toBe(200);
      expect(mainOf(page)).not.toContain('<form method="post" action="/settings/general');
      expect((await post(GENERAL, { name: 'Theirs' }, visitor)).status).toBe(403);
    }
    const closed = await gatehouse.createTenant('closed');
    const visitor = await signedIn('company_admin', closed);
    await createTenantStore(gatehouse.dataSource.manager).setSuspended(closed.id, true);
    const page = await open(GENERAL, visitor, 'closed');
    expect(page.html).toContain('The organization is suspended.');
    expect((await post(GENERAL, { name: 'Open' }, visitor, 'closed')).status).toBe(403);
    const rename = `${SPACES}/${await defaultSpaceOf(gatehouse, closed)}/rename`;
    const forms = ['/settings/api-keys/new', '/settings/tokens/new', '/settings/members/invite'];
    const member = `/settings/members/of/${visitor.id}`;
    for (const path of [`${SPACES}/new`, rename, member, ...forms, '/settings/profile/leave']) {
      const form = await open(path, visitor, 'closed');
      expect([path, form.status]).toEqual([path, 200]);
      // Once: the pages do not repeat the notice.
      expect(mainOf(form).match(/is suspended/g)).toHaveLength(1);
      expect(mainOf(form)).not.toContain('<form');
      const sent = await post(path, { name: 'X', emails: 'x@example.com' }, visitor, 'closed');
      expect([path, sent.status]).toEqual([path, 403]);
    }
    const own = await open('/settings/profile', visitor, 'closed');
    expect(own.html).not.toContain('nothing can be changed');
    const renamed = await post('/settings/profile/name', { name: 'Ann' }, visitor, 'closed');
    expect(renamed.status).toBe(303);
  });
});

import { beforeAll, describe, expect, it } from '@jest/globals';

import { CONSOLE_PAGES } from '../../src/console/navigation.js';
import { ROLES, type Role } from '../../src/scopes/roles.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { csrfOf, newBrowser, postForm, signIn } from '../support/browser/console.js';
import { createUser, mainOf, type Browser } from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const ADMIN: readonly Role[] = ['company_admin'];
const MANAGER: readonly Role[] = ['company_admin', 'manager'];

/** The roles for each page whose use is not open to all, as the console's table of permissions states them. */
const OPEN_TO: Readonly<Record<string, readonly Role[]>> = {
  '/settings/machine-credentials': MANAGER,
  '/settings/audit-log': ADMIN,
  '/settings/usage': MANAGER,
  '/settings/tester': ADMIN,
  '/settings/webhooks': ADMIN,
};
const rolesFor = (path: string) => OPEN_TO[path] ?? ROLES;

const gatehouse = useGatehouse();
let tenant: Tenant;
const visitors = new Map<Role, { browser: Browser; csrf: string }>();
beforeAll(async () => {
  tenant = await gatehouse.createTenant('acme');
  for (const role of ROLES) {
    const browser = newBrowser(gatehouse);
    const csrf = csrfOf(await signIn(browser, await createUser(gatehouse, [[tenant, role]])));
    visitors.set(role, { browser, csrf });
  }
});

const as = (role: Role) => {
  const visitor = visitors.get(role);
  if (visitor === undefined) throw new Error(role);
  return visitor;
};

describe('each page', () => {
  it.each(CONSOLE_PAGES.map(({ path }) => path))('%s opens for its roles only', async (path) => {
    for (const role of ROLES) {
      const page = await as(role).browser.open(path);
      const isOpen = rolesFor(path).includes(role);
      const isListed = page.html.includes(`<a href="${path}?tenant=acme`);
      expect({ role, status: page.status, isListed }).toEqual({
        role,
        status: isOpen ? 200 : 403,
        isListed: isOpen,
      });
      if (isOpen) continue;
      expect(mainOf(page)).toContain('Ask Ada Example, administrator of acme.');
    }
  });

  it('is the first of the role after the sign-in', async () => {
    for (const role of ROLES) {
      const page = await as(role).browser.open('/settings');
      expect({ role, path: new URL(page.url).pathname }).toEqual({
        role,
        path: '/settings/api-keys',
      });
    }
  });
});

describe('the pages of keys', () => {
  it('show each role the kinds that it may see, and change nothing for roles that manage none', async () => {
    for (const [kind, scopes] of [
      ['secret', ['leads:read']],
      ['publishable', ['products:read']],
      ['organization', ['spaces:manage']],
      ['service', ['leads:read']],
    ] as const) {
      await gatehouse.createKey(tenant, { name: `a ${kind} key`, kind, scopes });
    }
    const [key] = await gatehouse.database.query<{ id: string }>(
      `SELECT id FROM credentials WHERE kind = 'secret'`,
    );
    for (const role of ROLES) {
      const { browser, csrf } = as(role);
      const { html } = await browser.open('/settings/api-keys?kind=organization&status=all');
      const list = (await browser.open('/settings/api-keys')).html;
      const seen = ['secret', 'publishable', 'organization'].filter((kind) =>
        list.includes(`a ${kind} key`),
      );
      const isAdmin = role === 'company_admin';
      const kinds = isAdmin || role === 'manager' ? ['secret', 'publishable'] : ['publishable'];
      expect({ role, seen }).toEqual({ role, seen: isAdmin ? [...kinds, 'organization'] : kinds });
      expect(html.includes('a organization key')).toBe(isAdmin);
      if (isAdmin) continue;
      expect(list).not.toMatch(/New key|\/settings\/api-keys\/key_/);
      for (const path of ['new', key?.id, `${key?.id}/secret`]) {
        expect((await browser.open(`/settings/api-keys/${path}?tenant=acme`)).status).toBe(403);
      }
      for (const path of [
        'new',
        key?.id,
        `${key?.id}/rotate`,
        `${key?.id}/end`,
        `${key?.id}/revoke`,
      ]) {
        const fields = {
          csrf,
          kind: 'publishable',
          name: 'x',
          scope: 'products:read',
          overlap: '0',
        };
        const answer = await postForm(browser, `/settings/api-keys/${path}?tenant=acme`, fields);
        expect({ role, path, status: answer.status }).toEqual({ role, path, status: 403 });
      }
    }
    const made = await gatehouse.database.query('SELECT id FROM credentials');
    expect(made).toHaveLength(4);
  });
});

import { beforeAll, expect, it } from '@jest/globals';

import { ROLES, type Role } from '../../src/scopes/roles.js';
import { csrfOf, newBrowser, postForm, signIn } from '../support/browser/console.js';
import { createUser, type Browser } from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const ADMINS: readonly Role[] = ['company_admin'];
const MANAGERS: readonly Role[] = ['company_admin', 'manager'];

/** The roles that may use the routes whose `METHOD path` matches; the first match counts. All others are open to all. */
const RESTRICTED: readonly (readonly [RegExp, readonly Role[]])[] = [
  [/ \/settings\/api-keys\//, ADMINS],
  [/ \/settings\/machine-credentials\//, ADMINS],
  [/ \/settings\/machine-credentials$/, MANAGERS],
  // Without the ticket of a test.
  [/ \/settings\/tester\/revoke/, []],
  [/ \/settings\/tester/, ADMINS],
  [/ \/settings\/usage/, MANAGERS],
  [/ \/settings\/audit-log/, ADMINS],
  [/ \/settings\/webhooks/, ADMINS],
  [/ \/settings\/connected-apps\/block/, ADMINS],
  [/ \/settings\/spaces\/(?:new|:id)/, ADMINS],
  [/^POST \/settings\/general/, ADMINS],
  [/ \/settings\/members\//, ADMINS],
];

const rolesFor = (name: string) => RESTRICTED.find(([pattern]) => pattern.test(name))?.[1] ?? ROLES;

const gatehouse = useGatehouse();
let routes: readonly string[];
const visitors = new Map<Role, { browser: Browser; csrf: string }>();
beforeAll(async () => {
  const tenant = await gatehouse.createTenant('acme');
  for (const role of ROLES) {
    const browser = newBrowser(gatehouse);
    const user = await createUser(gatehouse, [[tenant, role]]);
    visitors.set(role, { browser, csrf: csrfOf(await signIn(browser, user)) });
  }
  routes = gatehouse.app.otherRoutes
    .filter(({ path }) => path.startsWith('/settings/'))
    .map(({ method, path }) => `${method} ${path}`);
});

it.each(ROLES)(
  'every route of the settings admits or refuses a %s as its page says',
  async (role) => {
    const { browser, csrf } = visitors.get(role) ?? { browser: newBrowser(gatehouse), csrf: '' };
    const wrong: string[] = [];
    // Leaving the organization would end the test.
    for (const name of routes.filter(
      (route) => !route.startsWith('POST /settings/profile/leave'),
    )) {
      const [method, path = ''] = name.split(' ');
      const target = `${path.replace(':id', 'key_01ARZ3NDEKTSV4RRFFQ69G5FAV')}?tenant=acme`;
      const answer =
        method === 'POST'
          ? await postForm(browser, target, { csrf })
          : await browser.request(target);
      await answer.arrayBuffer();
      const isOpen = rolesFor(name).includes(role);
      if ((answer.status !== 403) !== isOpen) wrong.push(`${name} ${answer.status}`);
    }
    expect(wrong).toEqual([]);
    expect(routes.length).toBeGreaterThan(60);
  },
);

it('no route of the settings admits a visitor of another organization, or nobody', async () => {
  const elsewhere = await gatehouse.createTenant('elsewhere');
  const stranger = newBrowser(gatehouse);
  const user = await createUser(gatehouse, [[elsewhere, 'company_admin']]);
  const csrf = csrfOf(await signIn(stranger, user));
  const anonymous = newBrowser(gatehouse);
  const wrong: string[] = [];
  for (const name of routes) {
    const [method, path = ''] = name.split(' ');
    const target = `${path.replace(':id', 'key_01ARZ3NDEKTSV4RRFFQ69G5FAV')}?tenant=acme`;
    const call = (browser: Browser) =>
      method === 'POST' ? postForm(browser, target, { csrf }) : browser.request(target);
    const statuses = [(await call(stranger)).status, (await call(anonymous)).status];
    // A visitor without a session is sent to the sign-in, and a form without its cookie is refused.
    if (statuses[0] !== 403 || ![303, 403].includes(statuses[1] ?? 0)) {
      wrong.push(`${name} ${statuses.join(' ')}`);
    }
  }
  expect(wrong).toEqual([]);
});

import type { Page } from 'playwright-core';

import { createAccountLinks, type LinkPurpose } from '../../src/accounts/links/account-links.js';
import { getTokens, registerClient } from '../support/oauth/oauth.js';
import type { Picture } from './pictures.js';
import type { World } from './world.js';

const KEYS = '/settings/api-keys?tenant=acme';
const NEW_KEY = '/settings/api-keys/new?tenant=acme';

const submit = (page: Page, name: string | RegExp) =>
  page.getByRole('button', { name }).last().click();

/** The path of a link that a mail to the manager would hold. */
async function mailedPath({ gatehouse, people }: World, purpose: LinkPurpose): Promise<string> {
  const { dataSource, keyring, format } = gatehouse;
  const links = createAccountLinks(dataSource.manager, keyring, format);
  const { id, email } = people.manager;
  const token = await links.create(purpose, { accountId: id, email });
  return `/${purpose === 'password' ? 'reset-password' : 'confirm-email'}?token=${token}`;
}

async function makeNewKey(page: Page): Promise<void> {
  await page.getByRole('textbox', { name: 'Name' }).fill('Nightly export');
  await submit(page, 'Read only');
  await page.getByRole('button', { name: 'Create', exact: true }).last().click();
}

const goTo = (page: Page, { gatehouse }: World, path: string) =>
  page.goto(gatehouse.config.ISSUER + path);

/** States that a page is in after something went wrong, or for a moment only. */
export const STATE_PICTURES: readonly Picture[] = [
  { name: 'not-found-signed-out', path: '/nothing' },
  { name: 'login-to-return', path: KEYS },
  { name: 'other-organization', as: 'viewer', path: '/settings/general?tenant=fresh' },
  {
    name: 'database-away',
    as: 'admin',
    path: KEYS,
    async prepare(page, { gatehouse }) {
      await gatehouse.database.lock();
      await page.reload();
      await gatehouse.database.unlock();
    },
  },
  {
    name: 'throttled',
    as: 'viewer',
    path: '/settings/general',
    async prepare(page) {
      await page.evaluate(
        `Promise.all(Array.from({ length: 320 }, () => fetch('/settings/general')))`,
      );
      await page.reload();
    },
  },
  {
    name: 'api-key-already-shown',
    as: 'admin',
    path: NEW_KEY,
    async prepare(page) {
      await makeNewKey(page);
      await page.locator('#secret').waitFor();
      page.on('dialog', (dialog) => void dialog.accept());
      await page.reload();
    },
  },
  {
    name: 'api-key-confirm-presence',
    as: 'admin',
    path: NEW_KEY,
    async prepare(page, { gatehouse }) {
      await gatehouse.database.query(
        `UPDATE sessions SET created_at = created_at - interval '1 hour'`,
      );
      await makeNewKey(page);
      await page.getByRole('heading', { name: 'Confirm that it is you' }).waitFor();
    },
  },
  {
    name: 'api-key-changed-meanwhile',
    as: 'admin',
    path: ({ keys }) => `/settings/api-keys/${keys.used}?tenant=acme`,
    async prepare(page) {
      const other = await page.context().newPage();
      await other.goto(page.url());
      for (const [one, limit] of [
        [other, '100'],
        [page, '200'],
      ] as const) {
        await one.getByLabel('Requests a minute').fill(limit);
        await submit(one, 'Save');
        await one.locator('main .notice').first().waitFor();
      }
      await other.close();
    },
  },
  {
    name: 'api-key-revoke-without-name',
    as: 'admin',
    path: ({ keys }) => `/settings/api-keys/${keys.used}?tenant=acme`,
    async prepare(page) {
      await submit(page, 'Revoke');
      await page.locator('#confirm-error').waitFor();
    },
  },
  {
    name: 'api-key-overlap',
    as: 'admin',
    path: NEW_KEY,
    async prepare(page, world) {
      const { gatehouse, acme } = world;
      const { id } = await gatehouse.createKey(acme, { name: 'Quarterly', scopes: ['bids:read'] });
      const path = `/settings/api-keys/${id}?tenant=acme`;
      await goTo(page, world, path);
      await submit(page, 'Rotate');
      await page.locator('#secret').waitFor();
      page.on('dialog', (dialog) => void dialog.accept());
      await goTo(page, world, path);
    },
  },
  { name: 'api-keys-many', as: 'admin', path: '/settings/api-keys?tenant=large' },
  {
    name: 'keyboard-focus',
    as: 'admin',
    path: '/settings/api-keys?tenant=fresh',
    async prepare(page) {
      await page.getByRole('link', { name: 'New key' }).first().focus();
      await page.keyboard.press('Tab');
      await page.keyboard.press('Shift+Tab');
    },
  },
  {
    name: 'skip-link',
    as: 'admin',
    path: '/settings/general?tenant=acme',
    prepare: (page) => page.keyboard.press('Tab'),
  },
  {
    name: 'menu-open',
    as: 'admin',
    path: '/settings/general?tenant=acme',
    async prepare(page) {
      await page.setViewportSize({ width: 360, height: 800 });
      await page.getByRole('button', { name: 'Menu' }).click();
    },
  },
  {
    name: 'switcher-open',
    as: 'admin',
    path: '/settings/general?tenant=acme',
    prepare: (page) => page.locator('.organization summary').click(),
  },
  {
    name: 'switcher-many',
    as: 'contractor',
    path: '/settings/general',
    prepare: (page) => page.locator('.organization summary').click(),
  },
  {
    name: 'palette',
    as: 'admin',
    path: KEYS,
    async prepare(page) {
      await page.keyboard.press('Control+k');
      await page.locator('.palette [role=option]').first().waitFor();
    },
  },
  {
    name: 'palette-nothing',
    as: 'admin',
    path: KEYS,
    async prepare(page) {
      await page.keyboard.press('Control+k');
      await page.keyboard.type('nothing like this');
      await page.getByText('Nothing matches.').waitFor();
    },
  },
  { name: 'search', as: 'admin', path: '/settings/search?tenant=acme&env=live&q=sync' },
  { name: 'search-nothing', as: 'viewer', path: '/settings/search?tenant=acme&q=nothing+like' },
  {
    name: 'machine-secret',
    as: 'admin',
    path: '/settings/machine-credentials/new?tenant=acme',
    async prepare(page) {
      await makeNewKey(page);
      await page.locator('#secret').waitFor();
    },
  },
  { name: 'machines-empty', as: 'admin', path: '/settings/machine-credentials?tenant=fresh' },
  {
    name: 'connected-apps-organization-empty',
    as: 'admin',
    path: '/settings/connected-apps?tenant=fresh&of=organization',
  },
  { name: 'apps-you-use-empty', as: 'manager', path: '/settings/apps' },
  {
    name: 'app-block',
    as: 'admin',
    path: '/settings/connected-apps?tenant=acme&of=organization',
    async prepare(page) {
      await page.getByRole('link', { name: 'Acme Mobile' }).first().click();
      await page.getByRole('link', { name: 'Block here' }).click();
      await page.waitForURL('**/block?**');
    },
  },
  {
    name: 'member-change-cuts',
    as: 'admin',
    path: ({ people }) => `/settings/members/of/${people.manager.id}?tenant=acme`,
    async prepare(page, { gatehouse, acme, people }) {
      const client = await registerClient(gatehouse, { client_name: 'Estimates' });
      const parameters = { scope: 'contacts:read contacts:write offline_access' };
      await getTokens(gatehouse, { client, user: people.manager, tenantId: acme.id, parameters });
      await page.getByRole('radio', { name: /^Field crew/ }).check();
      await submit(page, 'Change role');
      await page.getByRole('button', { name: 'Change it anyway' }).waitFor();
    },
  },
  {
    name: 'leave-last-administrator',
    as: 'admin',
    path: '/settings/profile/leave?tenant=fresh',
  },
  {
    name: 'profile-wrong-password',
    as: 'manager',
    path: '/settings/profile',
    async prepare(page) {
      await page.getByLabel('Current password').fill('a wrong password');
      await page.getByLabel('New password', { exact: true }).fill('short');
      await page.getByLabel('New password again').fill('other');
      await submit(page, 'Change password');
      await page.locator('.fault').first().waitFor();
    },
  },
  {
    name: 'general-saved',
    as: 'admin',
    path: '/settings/general?tenant=fresh',
    async prepare(page) {
      await submit(page, 'Save');
      await page.getByRole('status').first().waitFor();
    },
  },
  {
    name: 'tester-unknown',
    as: 'admin',
    path: '/settings/tester?tenant=acme',
    async prepare(page) {
      await page.getByLabel('Paste a credential').fill('bwp_live_00000000000000000000000000000000');
      await page.getByRole('button', { name: 'Test', exact: true }).click();
      await page.getByRole('heading', { name: 'Refused' }).waitFor();
    },
  },
  {
    name: 'tester-several-keys',
    as: 'admin',
    path: '/settings/tester?tenant=large',
    async prepare(page) {
      await page.getByLabel('Or choose a key').fill('Site');
      await page.getByRole('button', { name: 'Test', exact: true }).click();
      await page.getByText('Many keys match').waitFor();
    },
  },
  {
    name: 'new-token-viewer',
    as: 'viewer',
    path: '/settings/tokens/new',
    prepare: (page) => page.getByRole('radio', { name: /^Chosen scopes/ }).check(),
  },
  {
    name: 'space-rename',
    as: 'admin',
    path: '/settings/spaces?tenant=acme',
    prepare: (page) =>
      page
        .getByRole('link', { name: /^Rename/ })
        .first()
        .click(),
  },
  {
    name: 'reset-password',
    path: '/login',
    prepare: async (page, world) => goTo(page, world, await mailedPath(world, 'password')),
  },
  {
    name: 'reset-password-faults',
    path: '/login',
    async prepare(page, world) {
      await goTo(page, world, await mailedPath(world, 'password'));
      await page.getByLabel('New password', { exact: true }).fill('short');
      await page.getByLabel('New password again').fill('other');
      await submit(page, 'Set password');
      await page.locator('.fault').first().waitFor();
    },
  },
  {
    name: 'confirm-email',
    as: 'manager',
    path: '',
    prepare: async (page, world) => goTo(page, world, await mailedPath(world, 'email')),
  },
  { name: 'dead-link', path: '/reset-password?token=bwp_lpw_0000' },
  {
    name: 'invitation',
    as: 'admin',
    path: '/settings/members/invite?tenant=acme',
    async prepare(page, world) {
      await page.locator('textarea').fill('invited@example.com');
      await submit(page, 'Invite');
      const link = await page.locator('.copy code').first().innerText();
      await page.context().clearCookies();
      await page.goto(link);
      await world.gatehouse.database.query('DELETE FROM attempts');
    },
  },
  {
    name: 'invitation-of-another',
    as: 'admin',
    path: '/settings/members/invite?tenant=acme',
    async prepare(page) {
      await page.locator('textarea').fill('another@example.com');
      await submit(page, 'Invite');
      await page.goto(await page.locator('.copy code').first().innerText());
    },
  },
  {
    name: 'sign-out',
    as: 'admin',
    path: '/api/v1/oauth/end-session',
  },
  {
    name: 'signed-out',
    as: 'admin',
    path: '/api/v1/oauth/end-session',
    prepare: (page) => submit(page, 'Sign out'),
  },
];

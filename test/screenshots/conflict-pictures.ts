import type { Page } from 'playwright-core';

import type { Picture } from './pictures.js';

const submit = (page: Page, name: string | RegExp) =>
  page.getByRole('button', { name }).last().click();

/** Does the same in a second window before the first one: what the first one shows is stale. */
async function inTwoWindows(page: Page, act: (page: Page, name: string) => Promise<unknown>) {
  const other = await page.context().newPage();
  await other.goto(page.url());
  await act(other, 'Their name');
  await other.waitForLoadState('networkidle');
  await other.close();
  await act(page, 'My name');
  await page.waitForLoadState('networkidle');
}

const renameAs =
  (label: string | RegExp, button: string) =>
  async (page: Page, name: string): Promise<void> => {
    await page.getByLabel(label).first().fill(name);
    await submit(page, button);
  };

const inFirstOf = (list: string, button: RegExp) => (page: Page) =>
  page.locator(list).getByRole('button', { name: button }).first().click();

/** Forms whose subject somebody else has changed meanwhile, and other refusals. */
export const CONFLICT_PICTURES: readonly Picture[] = [
  {
    name: 'general-stale',
    as: 'admin',
    path: '/settings/general?tenant=fresh',
    prepare: (page) => inTwoWindows(page, renameAs('Name of the organization', 'Save')),
  },
  {
    name: 'general-fault',
    as: 'admin',
    path: '/settings/general?tenant=fresh',
    async prepare(page) {
      await page.getByLabel('Name of the organization').fill(' ');
      await submit(page, 'Save');
      await page.locator('.fault').waitFor();
    },
  },
  {
    name: 'space-stale',
    as: 'admin',
    path: '/settings/spaces?tenant=fresh',
    async prepare(page) {
      await page
        .getByRole('link', { name: /^Rename/ })
        .first()
        .click();
      await page.getByRole('button', { name: 'Save' }).waitFor();
      await inTwoWindows(page, renameAs('Name', 'Save'));
    },
  },
  {
    name: 'profile-stale',
    as: 'contractor',
    path: '/settings/profile',
    prepare: (page) => inTwoWindows(page, renameAs('Your name', 'Save name')),
  },
  {
    name: 'member-stale',
    as: 'admin',
    path: ({ longMember }) => `/settings/members/of/${longMember}?tenant=large`,
    prepare: (page) =>
      inTwoWindows(page, async (one, name) => {
        await one.getByRole('radio', { name: name === 'My name' ? /^Member/ : /^Viewer/ }).check();
        await submit(one, 'Change role');
      }),
  },
  {
    name: 'member-remove-fault',
    as: 'admin',
    path: ({ longMember }) => `/settings/members/of/${longMember}?tenant=large`,
    async prepare(page) {
      await page.getByLabel('Email of the member, to confirm').fill('somebody@example.com');
      await submit(page, 'Remove');
      await page.locator('.fault').waitFor();
    },
  },
  {
    name: 'invitation-stale',
    as: 'admin',
    path: '/settings/members?tenant=large',
    prepare: (page) => inTwoWindows(page, inFirstOf('.list', /^Withdraw/)),
  },
  {
    name: 'blocked-stale',
    as: 'admin',
    path: '/settings/connected-apps/blocked?tenant=large',
    prepare: (page) => inTwoWindows(page, inFirstOf('.list', /^Unblock/)),
  },
  {
    name: 'installation-gone',
    as: 'admin',
    path: '/settings/connected-apps/grt_01M7XDXM196WXM1ABP0DNE71TS/end?tenant=acme',
  },
  {
    name: 'invite-faults',
    as: 'admin',
    path: '/settings/members/invite?tenant=acme',
    async prepare(page) {
      await page.locator('textarea').fill(`not an address\n${'x'.repeat(80)}@`);
      await submit(page, 'Invite');
      await page.locator('.fault').waitFor();
    },
  },
  {
    name: 'member-last-administrator',
    as: 'admin',
    path: ({ people }) => `/settings/members/of/${people.admin.id}?tenant=fresh`,
  },
  { name: 'blocked-empty', as: 'admin', path: '/settings/connected-apps/blocked?tenant=fresh' },
  { name: 'machines-no-match', as: 'admin', path: '/settings/machine-credentials?search=nothing' },
  { name: 'tokens-no-match', as: 'admin', path: '/settings/tokens?tenant=acme&search=nothing' },
  {
    name: 'tokens-listed',
    as: 'manager',
    path: '/settings/tokens/new',
    async prepare(page) {
      for (const [name, access] of [
        ['Laptop', /^Read\./],
        ['x'.repeat(100), /^Write\./],
      ] as const) {
        await page.getByRole('textbox', { name: 'Name' }).fill(name);
        await page.getByRole('radio', { name: access }).check();
        await page.getByRole('button', { name: 'Create', exact: true }).last().click();
        await page.locator('#secret').waitFor();
        page.once('dialog', (dialog) => void dialog.accept());
        await page.getByRole('link', { name: 'Done' }).click();
        await page.getByRole('link', { name: 'New token' }).click();
      }
      await page.getByRole('link', { name: 'Cancel' }).click();
      await page.locator('.list').waitFor();
    },
  },
];

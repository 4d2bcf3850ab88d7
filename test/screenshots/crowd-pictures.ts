import type { Page } from 'playwright-core';

import type { Picture } from './pictures.js';
import type { World } from './world.js';

const nextPage = async (page: Page) => {
  await page.getByRole('link', { name: 'Next page' }).first().click();
  await page.getByRole('link', { name: 'First page' }).first().waitFor();
};

/** A list, its first and its second page. */
function pagesOf(name: string, path: string): readonly Picture[] {
  return [
    { name, as: 'admin', path },
    { name: `${name}-second`, as: 'admin', path, prepare: nextPage },
  ];
}

/** Lists that are longer than a page, and the longest values. */
export const CROWD_PICTURES: readonly Picture[] = [
  ...pagesOf('members-many', '/settings/members?tenant=large'),
  ...pagesOf('spaces-many', '/settings/spaces?tenant=large'),
  ...pagesOf('installations-many', '/settings/connected-apps?tenant=large&of=organization'),
  ...pagesOf('blocked-many', '/settings/connected-apps/blocked?tenant=large'),
  { name: 'apps-you-use-many', as: 'admin', path: '/settings/apps?tenant=large' },
  { name: 'members-nobody', as: 'admin', path: '/settings/members?tenant=large&q=nobody+at+all' },
  { name: 'members-found', as: 'viewer', path: '/settings/members?q=Example' },
  { name: 'usage-key', as: 'admin', path: usagePath },
  { name: 'profile-long', as: 'admin', path: '/settings/profile?tenant=large' },
  { name: 'general-long', as: 'admin', path: '/settings/general?tenant=large' },
  {
    name: 'key-long',
    as: 'admin',
    path: ({ keys }) => `/settings/api-keys/${keys.long}?tenant=large`,
  },
  {
    name: 'member-long',
    as: 'admin',
    path: ({ longMember }) => `/settings/members/of/${longMember}?tenant=large`,
  },
  {
    name: 'audit-log-long',
    as: 'admin',
    path: '/settings/audit-log?tenant=large&result=refused',
    prepare: (page) => page.locator('td .details > summary').first().click(),
  },
  {
    name: 'keys-long',
    as: 'admin',
    path: '/settings/api-keys?tenant=large&search=WWW',
    prepare: (page) => page.locator('.scopes summary').first().click(),
  },
  { name: 'new-key-spaces', as: 'admin', path: '/settings/api-keys/new?tenant=large' },
  {
    name: 'connected-app-long',
    as: 'admin',
    path: '/settings/connected-apps?tenant=large',
    async prepare(page) {
      await page.locator('.list .title a').first().click();
      await page.getByRole('heading', { name: 'End access' }).waitFor();
      await page.locator('.more summary').first().click();
    },
  },
  {
    name: 'space-rename-long',
    as: 'admin',
    path: '/settings/spaces?tenant=large',
    prepare: (page) =>
      page
        .getByRole('link', { name: /^Rename xxx/ })
        .first()
        .click(),
  },
];

function usagePath({ keys }: World): string {
  return `/settings/usage?tenant=acme&key=${keys.used}`;
}

import { CONSOLE_PAGES } from '../../src/console/navigation.js';
import type { Picture } from './pictures.js';

const SUSPENDED = 'tenant=closed';

/** The pages that other files show for a suspended organization. */
const ELSEWHERE: readonly string[] = [
  '/settings/api-keys',
  '/settings/general',
  '/settings/tokens',
  '/settings/webhooks',
];

/** Pages of a suspended organization, and its closed forms. */
export const SUSPENDED_PICTURES: readonly Picture[] = [
  ...CONSOLE_PAGES.filter(
    ({ path }) => path.startsWith('/settings/') && !ELSEWHERE.includes(path),
  ).map(({ path }): Picture => ({
    name: `${path.slice('/settings/'.length)}-suspended`,
    as: 'admin',
    path: `${path}?${SUSPENDED}`,
  })),
  { name: 'closed-key', as: 'admin', path: `/settings/api-keys/new?${SUSPENDED}` },
  { name: 'closed-space', as: 'admin', path: `/settings/spaces/new?${SUSPENDED}` },
  { name: 'closed-invite', as: 'admin', path: `/settings/members/invite?${SUSPENDED}` },
  {
    name: 'member-suspended',
    as: 'admin',
    path: ({ people }) => `/settings/members/of/${people.admin.id}?${SUSPENDED}`,
  },
  { name: 'leave-suspended', as: 'admin', path: `/settings/profile/leave?${SUSPENDED}` },
];

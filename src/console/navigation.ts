import { ADMINISTRATORS, OVERSEERS, ROLES, type Role } from '../scopes/roles.js';

/** A page of the settings area, as the sidebar lists it. */
export interface ConsolePage {
  readonly path: `/settings/${string}`;
  readonly title: string;
  readonly group: (typeof GROUPS)[number];
  /** The roles that may open it. For others it is absent from the sidebar and answers 403. */
  readonly roles: readonly Role[];
  /** Whether live and test show different things. */
  readonly hasEnvironments: boolean;
  /** Whether people without an organization may open it. */
  readonly isPersonal?: boolean;
}

export const GROUPS = ['Developers', 'Organization', 'You'] as const;

/** Every page, in the order of the sidebar. `/settings` leads to the first that the role may open. */
export const CONSOLE_PAGES: readonly ConsolePage[] = [
  {
    path: '/settings/api-keys',
    title: 'API keys',
    group: 'Developers',
    roles: ROLES,
    hasEnvironments: true,
  },
  {
    path: '/settings/machine-credentials',
    title: 'Machine credentials',
    group: 'Developers',
    roles: OVERSEERS,
    hasEnvironments: true,
  },
  {
    path: '/settings/connected-apps',
    title: 'Connected apps',
    group: 'Developers',
    roles: ROLES,
    hasEnvironments: false,
  },
  {
    path: '/settings/usage',
    title: 'Usage',
    group: 'Developers',
    roles: OVERSEERS,
    hasEnvironments: true,
  },
  {
    path: '/settings/tester',
    title: 'Tester',
    group: 'Developers',
    roles: ADMINISTRATORS,
    hasEnvironments: false,
  },
  {
    path: '/settings/webhooks',
    title: 'Webhooks',
    group: 'Developers',
    roles: ADMINISTRATORS,
    hasEnvironments: false,
  },
  {
    path: '/settings/members',
    title: 'Members',
    group: 'Organization',
    roles: ROLES,
    hasEnvironments: false,
  },
  {
    path: '/settings/spaces',
    title: 'Spaces',
    group: 'Organization',
    roles: ROLES,
    hasEnvironments: false,
  },
  {
    path: '/settings/audit-log',
    title: 'Audit log',
    group: 'Organization',
    roles: ADMINISTRATORS,
    hasEnvironments: false,
  },
  {
    path: '/settings/general',
    title: 'General',
    group: 'Organization',
    roles: ROLES,
    hasEnvironments: false,
  },
  {
    path: '/settings/profile',
    title: 'Profile',
    group: 'You',
    roles: ROLES,
    hasEnvironments: false,
    isPersonal: true,
  },
  {
    path: '/settings/tokens',
    title: 'Personal access tokens',
    group: 'You',
    roles: ROLES,
    hasEnvironments: false,
  },
  {
    path: '/settings/sessions',
    title: 'Sessions',
    group: 'You',
    roles: ROLES,
    hasEnvironments: false,
    isPersonal: true,
  },
  {
    path: '/settings/apps',
    title: 'Apps you use',
    group: 'You',
    roles: ROLES,
    hasEnvironments: false,
    isPersonal: true,
  },
];

/** The pages of people without an organization. */
export const PERSONAL_PAGES = CONSOLE_PAGES.filter(({ isPersonal }) => isPersonal === true);

/** The pages that a role may open. */
export function pagesFor(role: Role): readonly ConsolePage[] {
  return CONSOLE_PAGES.filter(({ roles }) => roles.includes(role));
}

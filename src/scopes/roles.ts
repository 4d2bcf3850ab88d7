import { RESOURCE_SCOPES, SCOPES, CATALOG, type Scope } from './catalog.js';

const endingIn = (...actions: readonly string[]): readonly Scope[] =>
  RESOURCE_SCOPES.filter((scope) => actions.some((action) => scope.endsWith(`:${action}`)));

const FOR_ANYONE = SCOPES.filter((scope) => CATALOG[scope].grantedTo === 'oauth').concat(
  'offline_access',
);

/** The scopes that each role can delegate, apart from the OIDC scopes and `offline_access`. */
const DELEGABLE = {
  company_admin: SCOPES,
  manager: [
    ...RESOURCE_SCOPES,
    'bids:send',
    'bids:accept_reject',
    'pay_apps:approve',
    'change_orders:approve',
    'users:read',
    'jobs:read',
    'jobs:write',
  ],
  member: [...endingIn('read', 'write'), 'bids:send', 'users:read', 'jobs:read'],
  field_crew: [
    'projects:read',
    'contacts:read',
    'documents:read',
    'products:read',
    'site_logs:read',
    'time_entries:read',
    'site_logs:write',
    'time_entries:write',
    'documents:write',
  ],
  viewer: endingIn('read'),
} as const satisfies Record<string, readonly Scope[]>;

export type Role = keyof typeof DELEGABLE;

export const ROLES = Object.keys(DELEGABLE) as readonly Role[];

const BY_ROLE = new Map(
  ROLES.map((role) => {
    const delegable = new Set<Scope>([...DELEGABLE[role], ...FOR_ANYONE]);
    return [role, SCOPES.filter((scope) => delegable.has(scope))];
  }),
);

const THROUGH_OAUTH = new Map(
  [...BY_ROLE].map(([role, scopes]) => [
    role,
    scopes.filter((scope) => CATALOG[scope].grantedTo !== 'keys'),
  ]),
);

/**
 * The scopes that a role can delegate to a key or personal token, in the catalogue's order.
 */
export function delegableBy(role: Role): readonly Scope[] {
  return BY_ROLE.get(role) ?? [];
}

/** The scopes that a role can delegate through OAuth, without those that only keys can have. */
export function delegableThroughOauth(role: Role): readonly Scope[] {
  return THROUGH_OAUTH.get(role) ?? [];
}

/** Whether a role administers its tenant: it may do there whatever members may, and manage what belongs to the tenant. */
export function isAdministrator(role: Role): boolean {
  return role === 'company_admin';
}

const ROLE_TITLES: Readonly<Record<Role, string>> = {
  company_admin: 'Administrator',
  manager: 'Manager',
  member: 'Member',
  field_crew: 'Field crew',
  viewer: 'Viewer',
};

/** A role in words. */
export function titleOf(role: Role): string {
  return ROLE_TITLES[role];
}

/** All scopes, written out apart from the source: an accidental change of `CATALOG` fails. */
export const RESOURCES = [
  'contacts',
  'leads',
  'projects',
  'bids',
  'pay_apps',
  'change_orders',
  'site_logs',
  'time_entries',
  'products',
  'documents',
];
export const RESOURCE = RESOURCES.flatMap((resource) => [
  `${resource}:read`,
  `${resource}:write`,
  `${resource}:delete`,
]);
export const WORKFLOW = [
  'bids:send',
  'bids:accept_reject',
  'pay_apps:approve',
  'change_orders:approve',
];
export const META = ['users:read', 'webhooks:manage', 'jobs:read', 'jobs:write', 'offline_access'];
export const BEYOND = ['audit:read', 'api_keys:manage', 'spaces:manage', 'introspect'];
export const IDENTITY = ['openid', 'profile', 'email'];

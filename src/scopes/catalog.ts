/**
 * The only list of scopes. Guards, key forms, consent, metadata and schemas derive from it, so that a misspelt scope does
 * not compile. No scope implies another. `docs/contributing.md` lists the steps to add one.
 */

interface ScopeFacts {
  /** One sentence for the user who grants it. */
  readonly description: string;
  /** The heading under which it is shown. */
  readonly group: string;
  /** A publishable key may carry it. */
  readonly public: boolean;
  /** Where it can be granted: `keys` never through OAuth, `oauth` never on a key. */
  readonly grantedTo: 'all' | 'keys' | 'oauth';
}

const RESOURCES = {
  contacts: 'contacts',
  leads: 'leads',
  projects: 'projects',
  bids: 'bids',
  pay_apps: 'pay applications',
  change_orders: 'change orders',
  site_logs: 'site logs',
  time_entries: 'time entries',
  products: 'products',
  documents: 'documents',
} as const;

const ACTIONS = {
  read: (noun: string) => `List and read ${noun}.`,
  write: (noun: string) => `Create and update ${noun}, but not delete them.`,
  delete: (noun: string) => `Delete ${noun}.`,
} as const;

export type Resource = keyof typeof RESOURCES;
export type ResourceScope = `${Resource}:${keyof typeof ACTIONS}`;

const PUBLIC: ReadonlySet<ResourceScope> = new Set(['products:read', 'documents:read']);

const resourceScopes = Object.fromEntries(
  Object.entries(RESOURCES).flatMap(([resource, noun]) =>
    Object.entries(ACTIONS).map(([action, describe]) => {
      const scope = `${resource}:${action}` as ResourceScope;
      const group = noun.charAt(0).toUpperCase() + noun.slice(1);
      return [
        scope,
        { description: describe(noun), group, public: PUBLIC.has(scope), grantedTo: 'all' },
      ];
    }),
  ),
) as Record<ResourceScope, ScopeFacts>;

const facts = (
  group: string,
  description: string,
  grantedTo: ScopeFacts['grantedTo'] = 'all',
): ScopeFacts => ({ description, group, public: false, grantedTo });

/** Every scope with its facts, in the order in which scopes are always listed. */
export const CATALOG = {
  ...resourceScopes,
  'bids:send': facts('Workflow', 'Send bids to their recipients.'),
  'bids:accept_reject': facts('Workflow', 'Accept and reject bids.'),
  'pay_apps:approve': facts('Workflow', 'Approve pay applications.'),
  'change_orders:approve': facts('Workflow', 'Approve change orders.'),
  'users:read': facts('Organization', 'List the people of the organization.'),
  'webhooks:manage': facts('Organization', 'Create, change and delete webhooks.'),
  'jobs:read': facts('Background jobs', 'See background jobs and their results.'),
  'jobs:write': facts('Background jobs', 'Start and cancel background jobs.'),
  offline_access: facts(
    'Staying connected',
    'Stay connected while you are away, until you revoke the access.',
  ),
  'audit:read': facts('Administration', 'Read the audit log and the usage figures.'),
  'api_keys:manage': facts('Administration', 'Create, change, rotate and revoke API keys.', 'keys'),
  'spaces:manage': facts('Administration', 'Create and rename spaces.', 'keys'),
  introspect: facts('Administration', "Check the organization's credentials.", 'keys'),
  openid: facts('Identity', 'Know which account you sign in with.', 'oauth'),
  profile: facts('Identity', 'See your name.', 'oauth'),
  email: facts('Identity', 'See your email address.', 'oauth'),
} as const satisfies Record<string, ScopeFacts>;

export type Scope = keyof typeof CATALOG;

/** All scopes in the catalogue's order. */
export const SCOPES = Object.keys(CATALOG) as readonly Scope[];

/** The scopes that an API key can carry, in the catalogue's order. */
export const KEY_SCOPES = SCOPES.filter((scope) => CATALOG[scope].grantedTo !== 'oauth');

/** The scopes that can be granted through OAuth, in the catalogue's order. */
export const OAUTH_SCOPES = SCOPES.filter((scope) => CATALOG[scope].grantedTo !== 'keys');

/** The scopes that a publishable key can carry, in the catalogue's order. */
export const PUBLIC_SCOPES = SCOPES.filter((scope) => CATALOG[scope].public);

/** The `<resource>:<action>` scopes, in the catalogue's order. */
export const RESOURCE_SCOPES = Object.keys(resourceScopes) as readonly ResourceScope[];

/** Whether a text is a scope of the catalogue. */
export function isScope(text: string): text is Scope {
  return Object.hasOwn(CATALOG, text);
}

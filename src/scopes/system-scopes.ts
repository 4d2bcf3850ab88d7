export interface ScopeFacts {
  /** One sentence for the user who grants it. */
  readonly description: string;
  /** The heading under which it is shown. */
  readonly group: string;
  /** A publishable key may carry it. */
  readonly public: boolean;
  /** The protected-resource metadata lists it, and a request without `scope` asks for it. */
  readonly basic: boolean;
  /** Where it can be granted: `keys` never through OAuth, `oauth` never on a key. */
  readonly grantedTo: 'all' | 'keys' | 'oauth';
}

const facts = (
  group: string,
  description: string,
  grantedTo: ScopeFacts['grantedTo'] = 'all',
): ScopeFacts => ({ description, group, public: false, basic: false, grantedTo });

/** The scopes that Gatehouse's own routes and protocols need. Every catalogue has them, after its own. */
export const SYSTEM_CATALOG = {
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

/** A scope that code names. The compiler refuses a misspelt one. */
export type SystemScope = keyof typeof SYSTEM_CATALOG;

export const SYSTEM_SCOPES = Object.keys(SYSTEM_CATALOG) as readonly SystemScope[];

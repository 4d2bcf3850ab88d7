import { ownText } from '../../db/own-text.js';
import { KEY_SCOPES, PUBLIC_SCOPES, scopeFacts, type Scope } from '../../scopes/catalog.js';
import { delegableBy, delegableThroughOauth, type Role } from '../../scopes/roles.js';
import { commonTo, inCatalogOrder } from '../../scopes/scope-set.js';
import type { CredentialQuery } from '../kinds.js';

/** The fact for "no restriction". An empty list would admit nothing. */
export const UNRESTRICTED = '*';

const MAX_SCOPE_SETS = 1000;

type Bounded = CredentialQuery | 'publishable';

/** The scopes that credentials can have today, by the query that looks them up. The catalogue may have changed since they were issued. */
const BOUNDS: Readonly<Record<Bounded, (role: Role) => readonly Scope[]>> = {
  tokens: delegableThroughOauth,
  personal: delegableBy,
  keys: () => KEY_SCOPES,
  imported: () => KEY_SCOPES,
  publishable: () => PUBLIC_SCOPES,
};

/**
 * Reads stored scopes, limited by the user's current role, by the catalogue of today and by the resource server's scopes where there are any.
 * Results are cached, since credentials share few combinations.
 */
export function createScopeSets() {
  const known = new Map<string, readonly Scope[]>();
  return (stored: string, bound: Bounded, role: string, taken: string): readonly Scope[] => {
    // perf: most are keys without a role or a resource server, found by the stored text alone. No name of a scope or role
    // contains `|`.
    const isPlain = bound === 'keys' && role === '' && taken === UNRESTRICTED;
    const id = isPlain ? stored : `${bound}|${role}|${stored}|${taken}`;
    let scopes = known.get(id);
    if (scopes === undefined) {
      // Without a membership the role is empty, and nothing is delegated.
      scopes = commonTo(inCatalogOrder(stored.split(' ')), BOUNDS[bound](role));
      if (taken !== UNRESTRICTED)
        scopes = scopes.filter(isTakenBy(inCatalogOrder(taken.split(' '))));
      if (known.size >= MAX_SCOPE_SETS) known.clear();
      known.set(ownText(id), scopes);
    }
    return scopes;
  };
}

/** The scopes that a resource server takes, and those about the user and the grant. */
const isTakenBy = (taken: readonly Scope[]) => (scope: Scope) =>
  taken.includes(scope) || scopeFacts(scope).grantedTo === 'oauth' || scope === 'offline_access';

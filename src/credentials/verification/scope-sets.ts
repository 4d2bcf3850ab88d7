import { scopeFacts, type Scope } from '../../scopes/catalog.js';
import { delegableBy, delegableThroughOauth, type Role } from '../../scopes/roles.js';
import { commonTo, inCatalogOrder } from '../../scopes/scope-set.js';
import type { Family } from '../kinds.js';

/** The fact for "no restriction". An empty list would admit nothing. */
export const UNRESTRICTED = '*';

const MAX_SCOPE_SETS = 1000;

/** The families whose scopes are limited to those that the user's current role delegates. */
const DELEGABLE: Partial<Record<Family, (role: Role) => readonly Scope[]>> = {
  tokens: delegableThroughOauth,
  personal: delegableBy,
};

/**
 * Reads stored scopes, limited by the user's current role and by the resource server's scopes where there are any.
 * Results are cached, since credentials share few combinations.
 */
export function createScopeSets() {
  const known = new Map<string, readonly Scope[]>();
  return (stored: string, family: Family, role: string, taken: string): readonly Scope[] => {
    const delegable = DELEGABLE[family];
    const id =
      delegable === undefined ? `${stored} ${taken}` : `${family} ${role} ${stored} ${taken}`;
    let scopes = known.get(id);
    if (scopes === undefined) {
      scopes = inCatalogOrder(stored.split(' '));
      // Without a membership the role is empty, and nothing is delegated.
      if (delegable !== undefined) scopes = commonTo(scopes, delegable(role));
      if (taken !== UNRESTRICTED)
        scopes = scopes.filter(isTakenBy(inCatalogOrder(taken.split(' '))));
      if (known.size >= MAX_SCOPE_SETS) known.clear();
      known.set(id, scopes);
    }
    return scopes;
  };
}

/** The scopes that a resource server takes, and those about the user and the grant. */
const isTakenBy = (taken: readonly Scope[]) => (scope: Scope) =>
  taken.includes(scope) || scopeFacts(scope).grantedTo === 'oauth' || scope === 'offline_access';

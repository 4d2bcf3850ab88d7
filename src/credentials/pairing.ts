import { reachableFrom } from './kinds.js';
import type { Principal } from './principal.js';

/** Why a good token and a good key do not go together. */
export function reasonAgainstPair(
  user: Principal,
  key: Principal,
): 'other_tenant_beside' | 'environment_beyond' | undefined {
  if (user.tenantId !== key.tenantId) return 'other_tenant_beside';
  return user.token !== undefined || reachableFrom(user.environment).includes(key.environment)
    ? undefined
    : 'environment_beyond';
}

/** A user's token beside a publishable key: its own scopes, in the key's environment and spaces. */
export function actingWhere(
  user: Principal,
  { environment, spaces: allowed }: Principal,
): Principal {
  const own = user.spaces;
  const spaces =
    own === null || allowed === null
      ? (own ?? allowed)
      : own.filter((space) => allowed.includes(space));
  return { ...user, environment, spaces };
}

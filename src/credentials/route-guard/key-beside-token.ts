import { reachableFrom } from '../kinds.js';
import type { Origin, Principal } from '../principal.js';

/** The reason why a valid token and a valid publishable key are refused together. */
export function reasonAgainstPair(
  user: Principal,
  key: Principal,
): 'other_tenant_beside' | 'environment_beyond' | undefined {
  if (user.tenantId !== key.tenantId) return 'other_tenant_beside';
  return user.token !== undefined || reachableFrom(user.environment).includes(key.environment)
    ? undefined
    : 'environment_beyond';
}

/** The principal of a user's token with a publishable key: the token's scopes, the key's environment and spaces. */
export function withPublishableKey(
  user: Principal,
  { environment, spaces: allowed, origin }: Principal,
): Principal {
  const own = user.spaces;
  const spaces =
    own === null || allowed === null
      ? (own ?? allowed)
      : own.filter((space) => allowed.includes(space));
  return { ...user, environment, spaces, origin: joinOrigins(user.origin, origin) };
}

/** The origin of a verdict about both: it ends with either, and is as old as the older one. */
function joinOrigins(one: Origin, other: Origin): Origin {
  const isOlder = BigInt(one.position) < BigInt(other.position);
  return {
    subjects: `${one.subjects} ${other.subjects}`,
    position: isOlder ? one.position : other.position,
  };
}

import { CATALOG, OAUTH_SCOPES, RESOURCE_SCOPES, type Scope } from '../scopes/catalog.js';
import { commonTo, inCatalogOrder } from '../scopes/scope-set.js';

/** Those that OpenID Connect gives a meaning to. */
export const OIDC_SCOPES = [
  ...OAUTH_SCOPES.filter((scope) => CATALOG[scope].grantedTo === 'oauth'),
  'offline_access',
] as const;

/** A token carries everything that was granted, so each of our resources knows every scope. */
export const RESOURCE_SERVER_SCOPES = OAUTH_SCOPES.join(' ');

/** What is asked for by a request that names nothing: to read, and to go on doing so. */
const BY_DEFAULT: readonly Scope[] = [
  ...RESOURCE_SCOPES.filter((scope) => scope.endsWith(':read')),
  'offline_access',
];

/**
 * What an authorization request asks for: names that mean nothing here, or are beyond what the client
 * registered for, are left out, since a narrower grant is no error (RFC 6749 §3.3).
 *
 * @param requested the request's `scope`
 * @param registered the `scope` that the client registered with; without it, it may ask for anything
 */
export function requestedScopes(
  requested: string | undefined,
  registered: string | undefined,
): readonly Scope[] {
  const allowed = registered === undefined ? OAUTH_SCOPES : inCatalogOrder(registered.split(' '));
  const wanted =
    requested === undefined
      ? registered === undefined
        ? BY_DEFAULT
        : allowed
      : inCatalogOrder(requested.split(' '));
  return commonTo(commonTo(wanted, allowed), OAUTH_SCOPES);
}

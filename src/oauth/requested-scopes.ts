import { CATALOG, isScope, OAUTH_SCOPES, RESOURCE_SCOPES, type Scope } from '../scopes/catalog.js';
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
 * The names in a `scope` parameter (RFC 6749 §3.3), once each. Blanks around and between them are forgiven;
 * nothing else separates names.
 */
export function parseScope(text: string): readonly string[] {
  return [...new Set(text.split(' '))].filter((name) => name !== '');
}

/**
 * The names of a request that cannot be meant: those that the catalogue does not know, and those that the
 * client did not register for. `offline_access` is left out instead: clients add it to any request when
 * the metadata lists it.
 *
 * @param requested names as `parseScope` returns them
 * @param registered the `scope` that the client registered with; without it, it may ask for anything
 */
export function unknownScopes(
  requested: readonly string[],
  registered: string | undefined,
): readonly string[] {
  const allowed = registered === undefined ? undefined : parseScope(registered);
  return requested.filter(
    (name) =>
      !isScope(name) ||
      (allowed !== undefined && name !== 'offline_access' && !allowed.includes(name)),
  );
}

/**
 * The scopes that an authorization request asks for, in the catalogue's order. Scopes that only keys can
 * carry are left out, since a narrower grant is not an error (RFC 6749 §3.3).
 *
 * @param requested names as `parseScope` returns them; if there are none, the scope was omitted
 * @param registered the `scope` that the client registered with; without it, it may ask for anything
 */
export function requestedScopes(
  requested: readonly string[],
  registered: string | undefined,
): readonly Scope[] {
  const allowed = registered === undefined ? OAUTH_SCOPES : inCatalogOrder(parseScope(registered));
  const byDefault = registered === undefined ? BY_DEFAULT : allowed;
  const wanted = requested.length === 0 ? byDefault : inCatalogOrder(requested);
  return commonTo(commonTo(wanted, allowed), OAUTH_SCOPES);
}

const MAX_NAMED = 5;
const MAX_NAME = 100;

/** Scopes as an `error_description` names them: a few, each cut to a bounded length. */
export function nameScopes(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMED).map((name) => name.slice(0, MAX_NAME));
  const left = names.length - shown.length;
  return shown.join(' ') + (left > 0 ? ` and ${left} more` : '');
}

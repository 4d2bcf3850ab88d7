import { maskCredentials } from '../http/body/text.js';
import {
  scopeFacts,
  BASIC_SCOPES,
  isScope,
  nameToday,
  OAUTH_SCOPES,
  type Scope,
} from '../scopes/catalog.js';
import { commonTo, inCatalogOrder, missingFrom } from '../scopes/scope-set.js';

/** The scopes that OpenID Connect defines. */
export const OIDC_SCOPES = [
  ...OAUTH_SCOPES.filter((scope) => scopeFacts(scope).grantedTo === 'oauth'),
  'offline_access',
] as const;

/** The scopes of a request without `scope`: the basic ones, and refreshes. */
const DEFAULT_SCOPES: readonly Scope[] = [
  ...BASIC_SCOPES.filter((scope) => OAUTH_SCOPES.includes(scope)),
  'offline_access',
];

/**
 * The distinct names in a `scope` parameter (RFC 6749 §3.3). Extra spaces are allowed. No other separator is.
 */
export function parseScope(text: string): readonly string[] {
  return [...new Set(text.split(' '))].filter((name) => name !== '');
}

/**
 * The requested names that are refused: unknown ones, and those that the client did not register. An unregistered
 * `offline_access` is dropped instead, because clients add it whenever the metadata lists it.
 *
 * @param requested names as `parseScope` returns them
 * @param registered the `scope` that the client registered with; without it, it may ask for anything
 */
export function unknownScopes(
  requested: readonly string[],
  registered: string | undefined,
): readonly string[] {
  const allowed = registered === undefined ? undefined : parseScope(registered).map(nameToday);
  return requested.filter(
    (name) =>
      !isScope(name) ||
      (allowed !== undefined && name !== 'offline_access' && !allowed.includes(name)),
  );
}

/**
 * The scopes of an authorization request, in the catalogue's order. Scopes that only keys can carry are dropped, since a
 * narrower grant is not an error (RFC 6749 §3.3).
 *
 * @param requested names as `parseScope` returns them; empty if `scope` was omitted
 * @param registered the `scope` that the client registered with; without it, it may ask for anything
 */
export function requestedScopes(
  requested: readonly string[],
  registered: string | undefined,
): readonly Scope[] {
  const allowed = registered === undefined ? OAUTH_SCOPES : inCatalogOrder(parseScope(registered));
  const byDefault = registered === undefined ? DEFAULT_SCOPES : allowed;
  const wanted = requested.length === 0 ? byDefault : inCatalogOrder(requested);
  return commonTo(commonTo(wanted, allowed), OAUTH_SCOPES);
}

/**
 * The scopes that a token for a resource server can have: those that the server takes, and those of OpenID Connect.
 *
 * @param server `null` for every scope
 */
export function scopesTakenBy({
  scopes,
}: {
  readonly scopes: readonly Scope[] | null;
}): readonly Scope[] {
  return OAUTH_SCOPES.filter(
    (scope) => scopes === null || scopes.includes(scope) || isAboutTheGrant(scope),
  );
}

/**
 * The scopes that one of the requested resources takes. A narrower grant is not an error, but a token that is of no use
 * is one.
 *
 * @param takenBy the scopes that each resource takes
 * @returns `untaken`: the scopes to refuse, which is all that no resource takes, if none is left that concerns a resource
 */
export function takenScopes(
  scopes: readonly Scope[],
  takenBy: readonly (readonly string[])[],
): { readonly taken: readonly Scope[]; readonly untaken: readonly Scope[] } {
  const all = new Set(takenBy.flat());
  const taken = scopes.filter((scope) => all.has(scope));
  const isUseless = taken.every(isAboutTheGrant);
  return { taken, untaken: isUseless ? missingFrom(taken, scopes) : [] };
}

/** Whether a scope is about the user and the grant, and not about a resource. */
export function isAboutTheGrant(scope: Scope): boolean {
  const own: readonly Scope[] = OIDC_SCOPES;
  return own.includes(scope);
}

const MAX_NAMED = 5;
const MAX_NAME = 100;

/** Names scopes in an `error_description`: a few, each cut to a maximum length. */
export function nameScopes(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMED).map((name) => maskCredentials(name).slice(0, MAX_NAME));
  const left = names.length - shown.length;
  return shown.join(' ') + (left > 0 ? ` and ${left} more` : '');
}

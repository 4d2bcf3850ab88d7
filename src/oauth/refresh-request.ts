import type { AuthenticatedClient } from '../clients/client-authentication.js';
import { singleValue, type Form } from '../http/form.js';
import { OAuthError } from '../http/oauth-error.js';
import type { Scope } from '../scopes/catalog.js';
import { delegableThroughOauth } from '../scopes/roles.js';
import { commonTo, inCatalogOrder } from '../scopes/scope-set.js';
import { invalidGrant } from './grant-refusal.js';
import type { RefreshRow } from './refresh-rows.js';

/** The parameters of a refresh, as they were sent. */
export interface RefreshRequest {
  readonly scope: string | undefined;
  readonly resources: readonly string[];
}

/** The same for all spellings of one request: defaults filled in, whatever was left to them. */
export interface RefreshMeaning {
  /** The scopes that the new access token should have. */
  readonly wanted: readonly string[];
  /** The resource that it should be for. */
  readonly audience: string;
}

/** @throws OAuthError, Problem `bad_request` for a parameter that is given twice */
export function readRequest(form: Form, { mayRefresh }: AuthenticatedClient): RefreshRequest {
  singleValue(form, 'grant_type');
  if (!mayRefresh) {
    throw new OAuthError(400, 'unauthorized_client', 'The client did not register for this grant.');
  }
  if (singleValue(form, 'refresh_token') === undefined) {
    throw new OAuthError(400, 'invalid_request', 'refresh_token is missing');
  }
  const scope = singleValue(form, 'scope');
  return { scope, resources: form.getAll('resource').filter((resource) => resource !== '') };
}

/**
 * What a refresh asks for: what was granted, or a part of it (RFC 6749 §6).
 *
 * @param served the resources that tokens can be for
 * @returns the error `invalid_scope`, `invalid_target` or `invalid_grant` if it cannot be had
 */
export function interpret(
  { payload }: RefreshRow,
  { scope, resources }: RefreshRequest,
  served: readonly string[],
): RefreshMeaning | OAuthError {
  const granted = namesIn(payload.scope);
  const named = namesIn(scope);
  const wanted = named.length === 0 ? granted : named;
  if (!wanted.every((name) => granted.includes(name))) {
    return new OAuthError(400, 'invalid_scope', 'scope goes beyond what was granted');
  }
  const allowed = [payload.resource ?? []].flat();
  const usable = allowed.filter((resource) => served.includes(resource));
  if (usable.length === 0) return invalidGrant('resource no longer registered');
  // The first of several, as everywhere: a token is for one.
  const audience = resources[0] ?? usable[0] ?? '';
  if (usable.includes(audience)) return { wanted, audience };
  return allowed.includes(audience)
    ? invalidGrant('resource no longer registered')
    : new OAuthError(400, 'invalid_target', 'resource indicator is missing, or unknown');
}

function namesIn(scope = ''): readonly string[] {
  return scope.split(/\s+/).filter((name) => name !== '');
}

/** The scopes of the new access token: those asked for, as far as the user's role still delegates them. */
export function issuableScopes(
  { scopes, role }: RefreshRow,
  { wanted }: RefreshMeaning,
): readonly Scope[] {
  const delegable = role === null ? [] : delegableThroughOauth(role);
  return commonTo(inCatalogOrder(scopes.filter((name) => wanted.includes(name))), delegable);
}

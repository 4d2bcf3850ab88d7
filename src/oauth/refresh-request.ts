import type { AuthenticatedClient } from '../clients/client-authentication.js';
import { singleValue, type Form } from '../http/form.js';
import { OAuthError } from '../http/oauth-error.js';
import type { Scope } from '../scopes/catalog.js';
import { delegableThroughOauth } from '../scopes/roles.js';
import { commonTo, inCatalogOrder } from '../scopes/scope-set.js';
import type { RefreshRow } from './refresh-rows.js';

/** What a refresh asks for. */
export interface RefreshRequest {
  readonly scope: string | undefined;
  readonly resources: readonly string[];
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
 * What the new access token is good for: what was granted, or a part of it that is asked for (RFC 6749
 * §6), as far as the user's role still delegates it.
 *
 * @param served the resources that tokens can be for
 * @throws OAuthError `invalid_scope`, `invalid_target`
 */
export function settle(
  { payload, scopes, role }: RefreshRow,
  { scope, resources }: RefreshRequest,
  served: readonly string[],
): { scopes: readonly Scope[]; audience: string } {
  const granted = payload.scope?.split(' ') ?? [];
  const wanted = scope?.split(' ') ?? granted;
  if (!wanted.every((name) => granted.includes(name))) {
    throw new OAuthError(400, 'invalid_scope', 'scope goes beyond what was granted');
  }
  // Of several the first, as everywhere: a token is for one.
  const allowed = [payload.resource ?? []].flat();
  const audience = resources[0] ?? allowed[0] ?? '';
  if (!allowed.includes(audience) || !served.includes(audience)) {
    throw new OAuthError(400, 'invalid_target', 'resource indicator is missing, or unknown');
  }
  const delegable = role === null ? [] : delegableThroughOauth(role);
  const kept = inCatalogOrder(scopes.filter((name) => wanted.includes(name)));
  return { scopes: commonTo(kept, delegable), audience };
}

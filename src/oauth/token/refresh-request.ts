import type { AuthenticatedClient } from '../../clients/index.js';
import type { RefreshRow } from '../../grants/index.js';
import { singleValue, type Form } from '../../http/body/form.js';
import { OAuthError } from '../../http/errors/oauth-error.js';
import { findResource } from '../../http/resource-uri.js';
import type { Scope } from '../../scopes/catalog.js';
import { delegableThroughOauth } from '../../scopes/roles.js';
import { commonTo, inCatalogOrder } from '../../scopes/scope-set.js';
import { invalidGrant } from './grant-refusal.js';
import { nameScopes, parseScope, scopesTakenBy } from '../requested-scopes.js';

/** The parameters of a refresh, as sent. */
export interface RefreshRequest {
  readonly scope: string | undefined;
  readonly resources: readonly string[];
  /** The thumbprint of the key that the new access token is bound to. */
  readonly proofKey?: string | undefined;
}

/** A refresh request with its defaults applied, equal for all spellings. */
export interface RefreshMeaning {
  /** The requested scopes of the new access token. */
  readonly wanted: readonly string[];
  /** The resource of the new access token. */
  readonly audience: string;
  /** The thumbprint of the key that the new access token is bound to. */
  readonly proofKey: string | undefined;
}

/** @throws OAuthError, Problem `bad_request` for a repeated parameter */
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
 * Resolves the scopes and the resource of a refresh: everything granted, or a part of it (RFC 6749 §6).
 *
 * @param own the resources that this server itself is
 * @returns the error `invalid_scope`, `invalid_target` or `invalid_grant` for an impossible request
 */
export function interpret(
  { payload, servers }: Pick<RefreshRow, 'payload' | 'servers'>,
  { scope, resources, proofKey }: RefreshRequest,
  own: readonly string[],
): RefreshMeaning | OAuthError {
  const granted = parseScope(payload.scope ?? '');
  const asked = parseScope(scope ?? '');
  const wanted = asked.length === 0 ? granted : asked;
  const beyond = wanted.filter((name) => !granted.includes(name));
  if (beyond.length > 0) {
    const description = `not granted: ${nameScopes(beyond)}`;
    return new OAuthError(400, 'invalid_scope', description);
  }
  const served = [...own, ...(servers ?? []).map(({ identifier }) => identifier)];
  const audience = chooseAudience([payload.resource ?? []].flat(), resources, served);
  return typeof audience === 'string' ? { wanted, audience, proofKey } : audience;
}

/**
 * Chooses the resource of the new token (RFC 8707 §2.2): the first requested one, or the first granted one. All
 * requested resources must have been granted.
 *
 * @returns the error `invalid_target`, or `invalid_grant` if the granted resources are no longer registered
 */
function chooseAudience(
  granted: readonly string[],
  asked: readonly string[],
  served: readonly string[],
): string | OAuthError {
  const usable = granted.filter((resource) => findResource(served, resource) !== undefined);
  const found = asked.map((resource) => findResource(granted, resource));
  if (usable.length > 0 && found.includes(undefined)) {
    return new OAuthError(400, 'invalid_target', 'resource is unknown, or was not granted');
  }
  const audience = findResource(usable, found[0] ?? usable[0] ?? '');
  return audience ?? invalidGrant('resource no longer registered');
}

/** The scopes of the new access token: the requested ones that the user's role still delegates and the resource takes. */
export function issuableScopes(
  { scopes, role, servers }: Pick<RefreshRow, 'scopes' | 'role' | 'servers'>,
  { wanted, audience }: RefreshMeaning,
): readonly Scope[] {
  const delegable = role === null ? [] : delegableThroughOauth(role);
  const held = commonTo(inCatalogOrder(scopes.filter((name) => wanted.includes(name))), delegable);
  const server = servers?.find(({ identifier }) => identifier === audience);
  return server === undefined ? held : commonTo(held, scopesTakenBy(server));
}

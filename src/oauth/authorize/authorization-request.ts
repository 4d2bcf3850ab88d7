import { errors, type KoaContextWithOIDC } from 'oidc-provider';

import { findResource } from '../../http/resource-uri.js';
import { textOf, type Parameters } from '../parameters.js';
import type { Scope } from '../../scopes/catalog.js';
import {
  nameScopes,
  parseScope,
  requestedScopes,
  takenScopes,
  unknownScopes,
} from '../requested-scopes.js';

/** Maximum length of a request, in characters of its query. */
export const MAX_REQUEST = 8192;
/** Maximum size of the parameters stored until the user has decided, in bytes. */
const MAX_KEPT = 6 * 1024;
const MAX_STATE = 2048;
const MAX_HINT = 320;

/** Parameters of OpenID Connect Core §3.1.2.1, ignored without the scope `openid`. */
const OIDC_ONLY = ['acr_values', 'claims', 'claims_locales', 'id_token_hint', 'max_age', 'nonce'];

/** Parameters that are not read after validation. */
const NOT_KEPT = ['acr_values', 'claims_locales', 'display', 'id_token_hint', 'ui_locales'];

/** `invalid_scope`, with the requested scopes that do not exist or were not registered. */
export class UnknownScope extends errors.CustomOIDCProviderError {
  readonly names: readonly string[];

  constructor(names: readonly string[]) {
    super('invalid_scope', `unknown, or not registered by the client: ${nameScopes(names)}`);
    this.names = names;
  }
}

/** `invalid_scope`, with the requested scopes that no requested resource takes. */
class UntakenScope extends errors.CustomOIDCProviderError {
  constructor(names: readonly string[]) {
    super('invalid_scope', `not taken by the resource: ${nameScopes(names)}`);
  }
}

/** The parameters of a request as sent. Repeated ones are arrays. */
type Sent = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Normalizes a request for oidc-provider: single spaces between scopes, resources in their registered spelling, and no
 * parameters that must be ignored (RFC 6749 §3.1, RFC 8707 §2).
 *
 * @param resources the resources that tokens can be for
 */
export function normalizeRequest(sent: Sent, resources: readonly string[]): Sent {
  const scopes = typeof sent['scope'] === 'string' ? parseScope(sent['scope']) : undefined;
  const isOidc = scopes?.includes('openid') === true;
  const kept = Object.entries(sent).filter(([name]) => isOidc || !OIDC_ONLY.includes(name));
  const named = [sent['resource'] ?? []].flat().filter((resource) => resource !== '');
  const found = new Set(named.map((resource) => findResource(resources, resource) ?? resource));
  return {
    ...Object.fromEntries(kept),
    ...(scopes !== undefined && { scope: scopes.join(' ') }),
    ...(sent['resource'] !== undefined && {
      resource: found.size > 1 ? [...found] : [...found][0],
    }),
  };
}

/**
 * Validates what oidc-provider does not, and removes the parameters that are not stored.
 *
 * @throws InvalidRequest for a NUL character, which PostgreSQL cannot store, for parameters that are too long, and for a
 *   client that must push its requests (RFC 9126)
 * @throws UnknownScope, UntakenScope
 */
export function settleRequest(ctx: KoaContextWithOIDC): void {
  const { oidc } = ctx;
  const params = oidc.params as Record<string, unknown>;
  const { isPushed } = ctx.state as { isPushed?: boolean };
  if (oidc.client?.['requires_pushed_requests'] === true && isPushed !== true) {
    throw new errors.InvalidRequest('this client must push its authorization requests');
  }
  const registered = oidc.client?.['registered_scope'] as string | undefined;
  // Read from the query: oidc-provider drops `offline_access` without `prompt=consent`. The consent page always names it.
  const sent = parseScope(textOf(ctx.query, 'scope'));
  const unknown = unknownScopes(sent, registered);
  if (unknown.length > 0) throw new UnknownScope(unknown);

  const scopes = requestedScopes(sent, registered);
  const mayRefresh = oidc.client?.grantTypeAllowed('refresh_token') === true;
  const usable = mayRefresh ? scopes : scopes.filter((scope) => scope !== 'offline_access');
  params['scope'] = takenOf(usable, oidc.resourceServers).join(' ');
  for (const name of NOT_KEPT) delete params[name];
  if (textOf(params, 'login_hint').length > MAX_HINT) delete params['login_hint'];
  assertStorable(params);
}

/** @throws UntakenScope */
function takenOf(
  scopes: readonly Scope[],
  servers: KoaContextWithOIDC['oidc']['resourceServers'] = {},
): readonly Scope[] {
  const takenBy = Object.values(servers).map((server) => [...server.scopes]);
  const { taken, untaken } = takenScopes(scopes, takenBy);
  if (untaken.length > 0) throw new UntakenScope(untaken);
  return taken;
}

function assertStorable(params: Parameters): void {
  const fault = storageFault(params);
  if (fault !== undefined) throw new errors.InvalidRequest(fault);
}

/** The reason why parameters cannot be stored until the user has decided. */
export function storageFault(params: Parameters): string | undefined {
  const texts = Object.values(params)
    .flat()
    .filter((value) => value !== undefined)
    .map(String);
  if (texts.some((text) => text.includes('\0'))) return 'a parameter contains a NUL character';
  if (Buffer.byteLength(textOf(params, 'state')) > MAX_STATE) {
    return `state is longer than ${MAX_STATE} bytes`;
  }
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return bytes > MAX_KEPT ? `the request is longer than ${MAX_KEPT} bytes` : undefined;
}

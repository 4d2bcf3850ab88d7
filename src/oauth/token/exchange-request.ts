import type { Principal } from '../../credentials/index.js';
import type { Form } from '../../http/body/form.js';
import { OAuthError } from '../../http/errors/oauth-error.js';
import { findResource } from '../../http/resource-uri.js';
import type { Resources } from '../../resource-servers/index.js';
import { OAUTH_SCOPES, type Scope } from '../../scopes/catalog.js';
import { commonTo } from '../../scopes/scope-set.js';
import { isAboutTheGrant, nameScopes, parseScope, scopesTakenBy } from '../requested-scopes.js';

/** The resource that a token is for. */
export interface ExchangeTarget {
  readonly audience: string;
  /** `null` for this server itself. */
  readonly serverId: string | null;
  /** The scopes that it takes; `null` for all. */
  readonly scopes: readonly Scope[] | null;
}

/**
 * Chooses the resource of the token: the one that `resource` or `audience` names, or this server's API.
 *
 * @throws OAuthError `invalid_target` for an unknown resource, and for several (RFC 8693 §2.2.2)
 */
export async function chooseTarget(form: Form, resources: Resources): Promise<ExchangeTarget> {
  const named = [...form.getAll('resource'), ...form.getAll('audience')].filter(
    (text) => text !== '',
  );
  const servers = await resources.serversAmong(named, '');
  const known = [...resources.own, ...servers.map(({ identifier }) => identifier)];
  const found = new Set(named.map((text) => findResource(known, text)));
  if (found.has(undefined) || found.size > 1) {
    throw new OAuthError(400, 'invalid_target', 'name one resource that exists');
  }
  const [audience = resources.own[0]] = found;
  const server = servers.find(({ identifier }) => identifier === audience);
  return { audience, serverId: server?.id ?? null, scopes: server?.scopes ?? null };
}

/**
 * The scopes of the token: the requested ones, or all of the key's, as far as the resource takes them. Scopes that only
 * keys can carry are never in a token. `offline_access` is dropped, because the token is not refreshed.
 *
 * @throws OAuthError `invalid_scope` for a scope that the key lacks, and if nothing is left
 */
export function exchangeableScopes(
  parent: Principal,
  scope: string | undefined,
  target: ExchangeTarget,
): readonly Scope[] {
  const held = commonTo(parent.scopes, OAUTH_SCOPES).filter((name) => !isAboutTheGrant(name));
  const named = parseScope(scope ?? '');
  const asked = named.filter((name) => name !== 'offline_access');
  const beyond = asked.filter((name) => !(held as readonly string[]).includes(name));
  if (beyond.length > 0) {
    throw new OAuthError(400, 'invalid_scope', `not held by the key: ${nameScopes(beyond)}`);
  }
  const wanted = named.length === 0 ? held : held.filter((name) => asked.includes(name));
  const scopes = commonTo(wanted, scopesTakenBy(target));
  if (scopes.length > 0) return scopes;
  throw new OAuthError(400, 'invalid_scope', 'the resource takes no such scope of the key');
}

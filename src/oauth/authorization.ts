import {
  errors,
  interactionPolicy,
  type Grant as ProtocolGrant,
  type KoaContextWithOIDC,
} from 'oidc-provider';

import type { Scope } from '../scopes/catalog.js';
import { inCatalogOrder } from '../scopes/scope-set.js';
import type { Consents } from './consents.js';

import { textOf, type Parameters } from './parameters.js';
import type { PageAccount } from './pending-authorization.js';
import { requestedScopes } from './requested-scopes.js';

const { base, Check, Prompt } = interactionPolicy;

/** What the consent page leaves in an interaction: the grant that came of it. */
export interface ConsentResult {
  readonly grantId: string;
  readonly tenantId: string;
}

interface Dependencies {
  readonly consents: Consents;
  readonly findAccount: (id: string) => Promise<PageAccount | undefined>;
  /** The resources that tokens can be for (RFC 8707), the one that is meant by default first. */
  readonly resources: readonly [string, ...string[]];
  readonly isAuthenticatedRedirect: (uri: string) => boolean;
}

/** What the library asks of us while it answers an authorization request. */
export type Authorization = ReturnType<typeof createAuthorization>;

export function createAuthorization(dependencies: Dependencies) {
  const { consents, resources, findAccount } = dependencies;

  /** @throws InvalidTarget for a resource that nobody here serves */
  function assertResource(resource: string): string {
    if (resources.includes(resource)) return resource;
    throw new errors.InvalidTarget();
  }

  return {
    assertResource,
    policy: createPolicy(),
    settleScope,
    defaultResource: (_ctx: KoaContextWithOIDC, _client: unknown, oneOf?: readonly string[]) =>
      oneOf === undefined ? resources[0] : (oneOf[0] ?? resources[0]),

    async findAccount(id: string) {
      const account = await findAccount(id);
      // id_tokens are made at the token endpoint.
      return account && { accountId: id, claims: async () => ({ sub: id }) };
    },

    /** The grant of this authorization: of the consent just given, or a new one from a remembered consent. */
    async loadGrant(ctx: KoaContextWithOIDC): Promise<ProtocolGrant | undefined> {
      const { oidc } = ctx;
      const accountId = oidc.account?.accountId ?? '';
      const clientId = oidc.client?.clientId ?? '';
      const given = oidc.result?.['consent'] as ConsentResult | undefined;
      const grant =
        given === undefined
          ? await grantFromMemory(ctx, { accountId, clientId }, dependencies)
          : await consents.findGrant(given.tenantId, given.grantId);
      if (grant?.accountId !== accountId || grant.clientId !== clientId) return undefined;

      const scopes = [...grant.scopes];
      // From here on the request is for what was granted.
      (oidc.params as Record<string, unknown>)['scope'] = scopes.join(' ');
      const loaded = new oidc.provider.Grant({ accountId, clientId });
      loaded.jti = grant.id;
      loaded.addOIDCScope(scopes.join(' '));
      for (const resource of grant.resources) loaded.addResourceScope(resource, scopes.join(' '));
      return loaded;
    },
  };
}

/** Sign in, then agree. What the library itself checks of consent is ours to check: see `loadGrant`. */
function createPolicy() {
  const policy = base();
  policy.remove('consent');
  policy.add(new Prompt({ name: 'select_account', requestable: true }), 0);
  const notAgreed = new Check(
    'no_grant',
    'the user has not agreed to this yet',
    'consent_required',
    (ctx) => ctx.oidc.entities.Grant?.jti === undefined,
  );
  policy.add(new Prompt({ name: 'consent', requestable: true }, notAgreed));
  return policy;
}

/**
 * Settles what is asked for, from what was sent: the library has dropped `offline_access` by now unless
 * consent was asked for, but our consent page always names it. Where nothing of it can be granted, the
 * user still signs in before the client learns that.
 *
 * @throws InvalidRequest for a parameter with a NUL, which PostgreSQL cannot hold
 */
async function settleScope(ctx: KoaContextWithOIDC): Promise<void> {
  const { oidc } = ctx;
  if (
    Object.values(oidc.params ?? {})
      .flat()
      .some((value) => String(value).includes('\0'))
  ) {
    throw new errors.InvalidRequest('a parameter holds a NUL character');
  }
  const sent = textOf(ctx.query, 'scope');
  const registered = oidc.client?.['registered_scope'] as string | undefined;
  const scopes = requestedScopes(sent === '' ? undefined : sent, registered);
  const usable = oidc.client?.grantTypeAllowed('refresh_token')
    ? scopes
    : scopes.filter((scope) => scope !== 'offline_access');
  (oidc.params as Record<string, unknown>)['scope'] = usable.join(' ');
}

/**
 * Consent is remembered by account, tenant and client. It counts only where the answer is sure to reach
 * that client: any program can listen on a loopback port or claim a scheme (RFC 8252 §8.6).
 */
async function grantFromMemory(
  ctx: KoaContextWithOIDC,
  who: { accountId: string; clientId: string },
  { consents, isAuthenticatedRedirect }: Dependencies,
) {
  const { oidc } = ctx;
  const redirectUri = textOf(oidc.params ?? {}, 'redirect_uri');
  const isAboutToAsk = ['login', 'select_account', 'consent'].some((name) =>
    oidc.promptPending(name),
  );
  if (isAboutToAsk || !isAuthenticatedRedirect(redirectUri)) return undefined;
  const choices = await consents.tenantsFor(who);
  const [tenant] = choices.usable;
  // Who has several tenants says each time which one is meant.
  if (tenant === undefined || choices.usable.length > 1) return undefined;
  return consents.grantAsRemembered({ ...who, tenant, ...requestOf(oidc.params ?? {}) });
}

/** What an authorization request is about, from its parameters as the library keeps them. */
export function requestOf(params: Parameters): {
  readonly scopes: readonly Scope[];
  readonly resources: readonly string[];
  readonly redirectUri: string;
} {
  const { resource } = params;
  return {
    scopes: inCatalogOrder(textOf(params, 'scope').split(' ')),
    resources: (Array.isArray(resource) ? resource : [resource]).map(String),
    redirectUri: textOf(params, 'redirect_uri'),
  };
}

import type { IncomingMessage } from 'node:http';

import {
  errors,
  interactionPolicy,
  type Grant as ProtocolGrant,
  type KoaContextWithOIDC,
} from 'oidc-provider';

import type { Resources } from '../../resource-servers/index.js';
import type { AttemptVerdict } from '../../rate-limits/index.js';
import { findResource } from '../../http/resource-uri.js';
import { OAUTH_SCOPES, type Scope } from '../../scopes/catalog.js';
import { inCatalogOrder } from '../../scopes/scope-set.js';
import { scopesTakenBy } from '../requested-scopes.js';
import { settleRequest } from './authorization-request.js';
import type { Consents } from './consents.js';
import { textOf, type Parameters } from '../parameters.js';
import type { PageAccount } from './pending-authorization.js';

const { base, Check, Prompt } = interactionPolicy;

/** The result of the consent page, stored in the interaction. */
export interface ConsentResult {
  readonly grantId: string;
  readonly tenantId: string;
}

interface Dependencies {
  readonly consents: Consents;
  readonly findAccount: (id: string) => Promise<PageAccount | undefined>;
  /** The resources that tokens can be for (RFC 8707). The first is the default. */
  readonly resources: Resources;
  readonly isAuthenticatedRedirect: (uri: string) => boolean;
  /** Counts a request that stores something, by the signed-in account or else by address. */
  readonly admit: (request: IncomingMessage, accountId: string | undefined) => AttemptVerdict;
}

/** Callbacks of oidc-provider for authorization requests. */
export type Authorization = ReturnType<typeof createAuthorization>;

export function createAuthorization(dependencies: Dependencies) {
  const { consents, resources, findAccount } = dependencies;

  return {
    policy: createPolicy(),

    /**
     * @returns the identifier of a resource, and the scopes that a token for it can have
     * @throws InvalidTarget for an unknown resource, and for one that does not admit the client
     */
    async resolveResource(
      resource: string,
      clientId: string,
    ): Promise<{ readonly audience: string; readonly scopes: readonly string[] }> {
      const own = findResource(resources.own, resource);
      if (own !== undefined) return { audience: own, scopes: OAUTH_SCOPES };
      const [server] = await resources.serversAmong([resource], clientId);
      if (server?.admitsClient !== true) throw new errors.InvalidTarget();
      return { audience: server.identifier, scopes: scopesTakenBy(server) };
    },

    /** Called after oidc-provider validated the request and before it stores anything. */
    settle(ctx: KoaContextWithOIDC): void {
      settleRequest(ctx);
      assertAdmitted(ctx, dependencies.admit);
    },

    /**
     * Chooses the resource of a token: the first that the token request names (RFC 8707 §2.2). All of them must have been
     * granted.
     *
     * @param oneOf the resources of the token request or of the grant
     * @throws InvalidTarget
     */
    chooseResource(oneOf?: readonly string[], granted?: readonly string[]): string {
      if (granted !== undefined && oneOf?.some((resource) => !granted.includes(resource))) {
        throw new errors.InvalidTarget();
      }
      return oneOf?.[0] ?? resources.own[0];
    },

    async findAccount(id: string) {
      const account = await findAccount(id);
      // Other claims are needed at the token endpoint only.
      return account && { accountId: id, claims: async () => ({ sub: id }) };
    },

    /** The grant of this authorization: from the consent just given, or new from a remembered consent. */
    async loadGrant(ctx: KoaContextWithOIDC): Promise<ProtocolGrant | undefined> {
      const { oidc } = ctx;
      const accountId = oidc.account?.accountId ?? '';
      const clientId = oidc.client?.clientId ?? '';
      const given = oidc.result?.['consent'] as ConsentResult | undefined;
      const grant =
        given === undefined
          ? await grantFromRememberedConsent(ctx, { accountId, clientId }, dependencies)
          : await consents.findGrant(given.tenantId, given.grantId);
      if (grant?.accountId !== accountId || grant.clientId !== clientId) return undefined;

      const scopes = [...grant.scopes];
      // Narrows the request to the granted scopes.
      (oidc.params as Record<string, unknown>)['scope'] = scopes.join(' ');
      const loaded = new oidc.provider.Grant({ accountId, clientId });
      loaded.jti = grant.id;
      loaded.addOIDCScope(scopes.join(' '));
      for (const resource of grant.resources) loaded.addResourceScope(resource, scopes.join(' '));
      return loaded;
    },
  };
}

/** Prompts: select account, sign in, consent. `loadGrant` replaces oidc-provider's own consent checks. */
function createPolicy() {
  const policy = base();
  policy.remove('consent');
  policy.add(new Prompt({ name: 'select_account', requestable: true }), 0);
  const noGrant = new Check(
    'no_grant',
    'the user has not consented yet',
    'consent_required',
    (ctx) => ctx.oidc.entities.Grant?.jti === undefined,
  );
  policy.add(new Prompt({ name: 'consent', requestable: true }, noGrant));
  return policy;
}

/** 429 for an address or account that starts too many authorizations, rendered as a page. */
export class TooManyRequests extends errors.CustomOIDCProviderError {
  constructor() {
    super('rate_limited', 'too many authorization requests from this address or account');
    Object.assign(this, { status: 429, statusCode: 429, allow_redirect: false });
  }
}

/**
 * Counts a request that stores something: a pending authorization, or a grant from remembered consent.
 *
 * @throws TooManyRequests
 */
function assertAdmitted(ctx: KoaContextWithOIDC, admit: Dependencies['admit']) {
  const { oidc } = ctx;
  const accountId = oidc.session?.accountId;
  if (accountId === undefined && oidc.promptPending('none')) return;
  const verdict = admit(ctx.req, accountId);
  if (verdict.isAllowed) return;
  ctx.set('Retry-After', String(verdict.retryAfterSeconds));
  throw new TooManyRequests();
}

/**
 * Creates a grant from consent remembered by account, tenant and client. Loopback and private-use redirect URIs are
 * excluded: any program can listen on a port or claim a scheme (RFC 8252 §8.6).
 */
async function grantFromRememberedConsent(
  ctx: KoaContextWithOIDC,
  who: { accountId: string; clientId: string },
  { consents, resources, isAuthenticatedRedirect }: Dependencies,
) {
  const { oidc } = ctx;
  const redirectUri = textOf(oidc.params ?? {}, 'redirect_uri');
  const willPrompt = ['login', 'select_account', 'consent'].some((name) =>
    oidc.promptPending(name),
  );
  if (willPrompt || !isAuthenticatedRedirect(redirectUri)) return undefined;
  const choices = await consents.tenantsFor(who);
  const [tenant] = choices.usable;
  // A user with several tenants chooses one each time.
  if (tenant === undefined || choices.usable.length > 1) return undefined;
  const request = requestOf(oidc.params ?? {});
  const servers = await resources.serversAmong(request.resources, who.clientId);
  return consents.grantAsRemembered({ ...who, tenant, ...request, servers });
}

/** The scopes, resources and redirect URI of an authorization request. @param params as oidc-provider stores them */
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

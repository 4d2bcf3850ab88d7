import type { IncomingMessage } from 'node:http';

import {
  errors,
  interactionPolicy,
  type Grant as ProtocolGrant,
  type KoaContextWithOIDC,
} from 'oidc-provider';

import type { AttemptVerdict } from '../http/attempts.js';
import { findResource } from '../http/resource-uri.js';
import type { Scope } from '../scopes/catalog.js';
import { inCatalogOrder } from '../scopes/scope-set.js';
import { settleRequest } from './authorization-request.js';
import type { Consents } from './consents.js';
import { textOf, type Parameters } from './parameters.js';
import type { PageAccount } from './pending-authorization.js';

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
  /** Counts a request that is kept: on the account that is signed in, otherwise on the address. */
  readonly admit: (request: IncomingMessage, accountId: string | undefined) => AttemptVerdict;
}

/** What the library asks of us while it answers an authorization request. */
export type Authorization = ReturnType<typeof createAuthorization>;

export function createAuthorization(dependencies: Dependencies) {
  const { consents, resources, findAccount } = dependencies;

  return {
    policy: createPolicy(),

    /** @throws InvalidTarget for a resource that is not served */
    assertResource(resource: string): string {
      const served = findResource(resources, resource);
      if (served === undefined) throw new errors.InvalidTarget();
      return served;
    },

    /** Settles a request that the library has judged; nothing of it is stored yet. */
    settle(ctx: KoaContextWithOIDC): void {
      settleRequest(ctx);
      assertAdmitted(ctx, dependencies.admit);
    },

    /**
     * Chooses the resource that a token is for. Of several that a token request names (RFC 8707 §2.2) it is
     * the first, and each must have been granted.
     *
     * @param oneOf resources as the token request or the grant names them, if either does
     * @throws InvalidTarget
     */
    chooseResource(oneOf?: readonly string[], granted?: readonly string[]): string {
      if (granted !== undefined && oneOf?.some((resource) => !granted.includes(resource))) {
        throw new errors.InvalidTarget();
      }
      return oneOf?.[0] ?? resources[0];
    },

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

/** More requests than an address or account may leave behind; answered by a page. */
class TooManyRequests extends errors.CustomOIDCProviderError {
  constructor() {
    super('rate_limited', 'too many authorization requests from this address or account');
    Object.assign(this, { status: 429, statusCode: 429, allow_redirect: false });
  }
}

/**
 * Counts a request that leaves something: a waiting authorization, or a grant from remembered consent.
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

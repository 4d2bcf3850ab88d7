import type { Context, Middleware } from 'koa';
import type { EntityManager } from 'typeorm';

import { createAccountStore, normalizeEmail } from '../../accounts/index.js';
import { createAuditLog } from '../../audit/index.js';
import {
  type Client,
  type ClientDocuments,
  type ClientLogos,
  createClientStore,
  documentHostOf,
  isAnyRedirect,
  isAuthenticatedRedirect,
} from '../../clients/index.js';
import type { Keyring } from '../../credentials/index.js';
import { createConsentStore, createGrantStore } from '../../grants/index.js';
import type { Mail } from '../../mail/index.js';
import type { BrowserSecrets } from '../../http/pages/browser-secret.js';
import type { Csrf } from '../../http/pages/csrf.js';
import type { Pages } from '../../http/pages/pages.js';
import type { RouteContext } from '../../http/context.js';
import type { Route } from '../../http/routes.js';
import type { Library } from '../library/index.js';
import type { createOAuthLimits } from '../limits.js';
import type { PushedRequests } from '../par/pushed-requests.js';
import { OAUTH_PATHS } from '../paths.js';
import type { OAuthStores } from '../stores.js';
import { createAuthorization, type Authorization } from './authorization.js';
import { createConnectionNotice } from './connection-notice.js';
import { createConsents, type Consents, type ConsentStores } from './consents.js';
import { createAuthorizationEndpoint, repeatAuthorizationByGet } from './endpoint.js';
import {
  continueAs,
  createInteractionRoutes,
  type InteractionRouteDependencies,
} from './interaction-routes.js';
import { createInteractionStore, type InteractionStore } from './interaction-store.js';
import { createResume } from './resume.js';
import type { SignedInAccount, SignInPage } from './sign-in-page.js';
import type { OAuthViews } from './views.js';

interface Dependencies {
  readonly issuer: string;
  readonly keyring: Keyring;
  readonly stores: OAuthStores;
  readonly limits: ReturnType<typeof createOAuthLimits>;
  readonly pages: Pages<OAuthViews>;
  readonly browsers: BrowserSecrets;
  readonly csrf: Csrf;
  readonly mail: Mail;
  readonly clientAddress: (request: Context['req']) => string;
  /** Fetches the metadata document that a client id names, if it names one. */
  readonly prepareClient: ClientDocuments['prepare'];
  readonly logos: Pick<ClientLogos, 'pathOf'>;
  readonly pushed: PushedRequests;
}

/** The authorization endpoint and its pages. */
export interface Authorize {
  /** The decisions that the library asks for. */
  readonly authorization: Authorization;
  /** The storage of pending authorizations. */
  readonly interactions: InteractionStore;
  readonly consents: Consents;
  /** The routes over the library, which is configured by the members above. */
  readonly routes: (library: Library, signInPage: SignInPage) => AuthorizeRoutes;
}

/** Continues a pending authorization as an account that signed in outside of its pages. */
export type ContinueAuthorization = (
  ctx: RouteContext,
  uid: string,
  account: SignedInAccount,
) => Promise<void>;

export interface AuthorizeRoutes {
  readonly pages: readonly Route<'public'>[];
  readonly continueAuthorization: ContinueAuthorization;
}

export function createAuthorize(dependencies: Dependencies): Authorize {
  const { issuer, keyring, stores, limits, pages, browsers, csrf } = dependencies;
  const { run, transaction, hasPassword, findAccount, resources } = stores;
  const interactions = createInteractionStore({ run, keyring, browsers, hasPassword });
  const notify = createConnectionNotice(dependencies);
  const consents = createConsents({
    transaction: (work) => transaction((manager) => work(consentStores(manager, notify))),
  });
  const authorization = createAuthorization({
    consents,
    findAccount,
    resources,
    isAuthenticatedRedirect,
    admit: limits.authorize,
  });
  return {
    authorization,
    interactions,
    consents,
    routes(library, signInPage) {
      const shared: InteractionRouteDependencies = {
        ...stores,
        issuer,
        pages,
        browsers,
        csrf,
        interactions,
        consents,
        normalizeEmail,
        isAuthenticatedRedirect,
        documentHostOf,
        logos: dependencies.logos,
        pushed: dependencies.pushed,
        keyring,
        isRedirectOf,
        clientAddress: dependencies.clientAddress,
        provider: library.provider,
        signInPage,
      };
      return {
        pages: [
          ...createEndpointRoutes(dependencies, library, interactions),
          ...createInteractionRoutes(shared),
        ],
        continueAuthorization(ctx, uid, account) {
          // The pages of an authorization are found by this parameter.
          const named = Object.assign(ctx, { params: { ...ctx.params, uid } });
          return continueAs(named, account, shared);
        },
      };
    },
  };
}

function isRedirectOf({ metadata }: Client, uri: string): boolean {
  return isAnyRedirect(metadata.redirect_uris, uri);
}

function createEndpointRoutes(
  dependencies: Dependencies,
  { middleware, provider, cookies, sessions }: Library,
  interactions: InteractionStore,
): Route<'public'>[] {
  const { issuer, browsers, stores, limits, pages } = dependencies;
  const authorize = createAuthorizationEndpoint({
    resources: stores.resources,
    pages,
    prepareClient: (ctx, clientId) => {
      const { requestId } = ctx.state as { requestId: string };
      const address = dependencies.clientAddress(ctx.req);
      return dependencies.prepareClient(clientId, { address, requestId });
    },
    findClient: stores.findClient,
    pushed: dependencies.pushed,
    protocol: middleware,
    handles: cookies.names,
  });
  const resume = createResume({
    issuer,
    keyring: dependencies.keyring,
    isRedirectOf,
    findClient: stores.findClient,
    browsers,
    interactions,
    transaction: stores.transaction,
    authorize,
    admit: limits.resume,
    provider,
    sessions,
  });
  const handled = (handle: Middleware) => handle as Route<'public'>['handle'];
  const path = OAUTH_PATHS.authorize;
  return [
    // HEAD would have the effects of GET, such as a code from remembered consent.
    { method: 'GET', head: false, path, access: 'public', handle: handled(authorize) },
    { method: 'GET', head: false, path: `${path}/:uid`, access: 'public', handle: handled(resume) },
    {
      method: 'POST',
      path,
      access: 'public',
      handle: (ctx) => repeatAuthorizationByGet(pages, ctx),
    },
  ];
}

function consentStores(
  manager: EntityManager,
  notify: ReturnType<typeof createConnectionNotice>,
): ConsentStores {
  const clients = createClientStore(manager);
  return {
    grants: createGrantStore(manager),
    consents: createConsentStore(manager),
    audit: createAuditLog(manager),
    notify: (grant, tenantName) => notify(manager, grant, tenantName),
    memberships: (...which) => createAccountStore(manager).listMemberships(...which),
    blockedIn: (clientId, tenantIds) => clients.blockingAmong(clientId, tenantIds),
  };
}

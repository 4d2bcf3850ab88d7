import { createHashingQueue, createSignIn, type HashingQueue } from '../accounts/index.js';
import { isAnyRedirect } from '../clients/index.js';
import { createRefreshRows } from '../grants/index.js';
import type { Route } from '../http/routes.js';
import { createClientPreparation } from './client-preparation.js';
import { createClients } from './clients.js';
import { renderAuthorizationError } from './authorize/endpoint.js';
import { createAuthorize, type Authorize, type ContinueAuthorization } from './authorize/index.js';
import { createSignInPage, type SignInPage } from './authorize/sign-in-page.js';
import type { OAuthDependencies } from './dependencies.js';
import { createIdTokenHints } from './end-session/id-token-hint.js';
import { createEndSessionRoutes } from './end-session/routes.js';
import { createEndpoints } from './endpoints.js';
import type { ConsoleSessions } from './library/browser-sessions.js';
import { createLibrary, type Library } from './library/index.js';
import { createCookieSigner } from './library/provider.js';
import { createOAuthLimits } from './limits.js';
import { createMetadataRoutes } from './metadata.js';
import { createOAuthMetrics, type OAuthMetrics } from './oauth-metrics.js';
import { createPushedRequests } from './par/pushed-requests.js';
import { OAUTH_PATHS } from './paths.js';
import { createOAuthStores, type OAuthStores } from './stores.js';
import { createDeviceStore } from './device/device-store.js';
import { createDevice } from './device/index.js';
import { createCodeStore } from './token/code-store.js';

/** OAuth's routes, as `app.ts` mounts them. */
export interface OAuth {
  /** Public documents. */
  readonly documents: readonly Route<'public'>[];
  /** Endpoints for programs. Errors have OAuth's form. */
  readonly endpoints: readonly Route<'public'>[];
  /** Pages, and the authorization endpoint. Errors are pages. */
  readonly pages: readonly Route<'public'>[];
  /** The login form, for the console too. */
  readonly signInPage: SignInPage;
  /** The queue of password hashes. */
  readonly hashing: HashingQueue;
  readonly sessions: ConsoleSessions;
  readonly continueAuthorization: ContinueAuthorization;
  readonly cookieSigner: ReturnType<typeof createCookieSigner>;
}

/** Composes OAuth: the stores of its features, oidc-provider, and the endpoints beside it. */
export function createOAuth(dependencies: OAuthDependencies): OAuth {
  const { settings, dataSource, keyring, lookup, signingKeys, register } = dependencies;
  const issuer = settings.ISSUER;
  const stores = createOAuthStores(dataSource, keyring, issuer);
  const limits = createOAuthLimits({
    clientAddress: dependencies.clientAddress,
    now: dependencies.now,
    authorizationsPerMinute: settings.RATE_LIMIT_AUTHORIZE_PER_MINUTE,
  });
  const hashing = createHashingQueue();
  const metrics = createOAuthMetrics(register, hashing.state);
  const { documents, clients } = createClients(dependencies, stores);
  const findRefreshRow = createRefreshRows(lookup, keyring);
  const prepareClient = createClientPreparation(documents.prepare, dependencies.clientAddress);
  const pushed = createPushedRequests(stores.run, keyring);
  const authorize = createAuthorize({
    ...dependencies,
    issuer,
    stores,
    limits,
    prepareClient: documents.prepare,
    pushed,
  });
  const library = createLibraryFor(dependencies, stores, authorize);
  const signInPage = createSignInForm(dependencies, library, metrics, hashing);
  const devices = createDeviceStore(stores.run, keyring);
  const device = createDevice(dependencies, {
    devices,
    stores,
    clients,
    prepareClient,
    limits,
    consents: authorize.consents,
    sessions: library.sessions,
  });
  const parts = {
    devices,
    stores,
    clients,
    findRefreshRow,
    limits,
    metrics,
    library,
    pushed,
    prepareClient,
  };
  const { pages, continueAuthorization } = authorize.routes(library, signInPage);
  return {
    signInPage,
    continueAuthorization,
    hashing,
    sessions: library.sessions,
    cookieSigner: createCookieSigner(keyring),
    documents: createMetadataRoutes({ issuer, signingKeys }),
    endpoints: [...createEndpoints(dependencies, parts), device.endpoint],
    pages: [...pages, ...device.pages, ...createEndSession(dependencies, stores, library)],
  };
}

function createLibraryFor(
  dependencies: OAuthDependencies,
  stores: OAuthStores,
  authorize: Authorize,
): Library {
  return createLibrary({
    ...dependencies,
    issuer: dependencies.settings.ISSUER,
    stores,
    codes: createCodeStore(stores.run, dependencies.keyring),
    interactions: authorize.interactions,
    authorization: authorize.authorization,
    isRegisteredRedirect: isAnyRedirect,
    renderError: (ctx, error) => renderAuthorizationError(dependencies.pages, ctx, error),
  });
}

function createSignInForm(
  dependencies: OAuthDependencies,
  library: Library,
  metrics: OAuthMetrics,
  hashing: ReturnType<typeof createHashingQueue>,
): SignInPage {
  return createSignInPage({
    ...dependencies,
    issuer: dependencies.settings.ISSUER,
    countSignIn: metrics.countSignIn,
    signIn: createSignIn({ ...dependencies, hashing }),
    deviceCookieName: library.cookies.names.device,
  });
}

function createEndSession(
  { settings, pages, csrf, signingKeys, home }: OAuthDependencies,
  { findClient, findAccount }: OAuthStores,
  { sessions }: Library,
): Route<'public'>[] {
  return createEndSessionRoutes({
    path: OAUTH_PATHS.endSession,
    pages,
    csrf,
    sessions,
    findClient,
    findAccount,
    readHint: createIdTokenHints(settings.ISSUER, signingKeys),
    isRedirectOf: isAnyRedirect,
    home,
  });
}

export type { ContinueAuthorization } from './authorize/index.js';
export { renderPageError } from './authorize/endpoint.js';
export { deleteExpiredInteractions } from './authorize/interaction-store.js';
export type { PageAccount } from './authorize/pending-authorization.js';
export type { SignInPage } from './authorize/sign-in-page.js';
export type { OAuthViews } from './authorize/views.js';
export type { ConsoleSessions } from './library/browser-sessions.js';
export { deleteExpiredPushedRequests } from './par/pushed-requests.js';
export { OAUTH_PATHS } from './paths.js';

import type { Context, Middleware } from 'koa';
import type { Registry } from 'prom-client';
import type { DataSource, EntityManager } from 'typeorm';

import { createAccountLookup } from './accounts/account-lookup.js';
import { createAccountStore, normalizeEmail } from './accounts/account-store.js';
import { createHashingQueue } from './accounts/hashing-queue.js';
import { createSignIn } from './accounts/sign-in.js';
import { createAuditLog, type Actor } from './audit/audit-log.js';
import type { RefusedSignIns } from './audit/refused-sign-ins.js';
import { createClientAuthentication } from './clients/client-authentication.js';
import { createClientSecrets } from './clients/client-secrets.js';
import { createClientStore } from './clients/client-store.js';
import { isAuthenticatedRedirect, isRegisteredRedirect } from './clients/redirect-uri.js';
import { createRegistrationRoutes } from './clients/registration/routes.js';
import type { Config } from './config.js';
import { HOME } from './console/return-to.js';
import type { GuardedState } from './credentials/guard/guard.js';
import type { ImportedPrefixes } from './credentials/verification/prefixes.js';
import type { Keyring } from './credentials/secrets/keyring.js';
import type { Lookup } from './credentials/verification/lookup.js';
import type { Presentations } from './credentials/verification/presentation.js';
import type { SecretFormat } from './credentials/secrets/format.js';
import type { Verifier } from './credentials/verification/verifier.js';
import { createTransactions } from './db/transactions.js';
import { createConsentStore } from './grants/consent-store.js';
import { createGrantStore, endGrantIn, type EndedGrant } from './grants/grant-store.js';
import { createRefreshRows, createRefreshTokens } from './grants/refresh-tokens.js';
import type { BrowserSecrets } from './http/pages/browser-secret.js';
import type { RequestState } from './http/context.js';
import type { Csrf } from './http/pages/csrf.js';
import type { Pages } from './http/pages/pages.js';
import type { Route } from './http/routes.js';
import { createIntrospectRoutes } from './introspection/introspect-routes.js';
import { createUserinfoRoutes } from './introspection/userinfo-routes.js';
import {
  createAuthorizationEndpoint,
  renderAuthorizationError,
  repeatAuthorizationByGet,
} from './oauth/authorize/endpoint.js';
import { createAuthorization } from './oauth/authorize/authorization.js';
import { createConsents } from './oauth/authorize/consents.js';
import { createConsoleSessions, type ConsoleSessions } from './oauth/library/browser-sessions.js';
import { createEndSessionRoutes } from './oauth/end-session/routes.js';
import { createIdTokenHints } from './oauth/end-session/id-token-hint.js';
import { createInteractionStore } from './oauth/authorize/interaction-store.js';
import { createInteractionRoutes } from './oauth/authorize/interaction-routes.js';
import { createOAuthLimits } from './oauth/limits.js';
import { createMetadataRoutes } from './oauth/metadata.js';
import { createOAuthMetrics } from './oauth/oauth-metrics.js';
import type { OAuthViews } from './oauth/authorize/views.js';
import { OAUTH_CORS, OAUTH_PATHS } from './oauth/paths.js';
import { createProtocol } from './oauth/library/protocol.js';
import { createProtocolSessions } from './oauth/library/protocol-sessions.js';
import { cookiesOf, createCookieSigner, createProvider } from './oauth/library/provider.js';
import { createResume } from './oauth/authorize/resume.js';
import { createSignInPage, type SignInPage } from './oauth/authorize/sign-in-page.js';
import { createTokenEndpoint } from './oauth/token/endpoint.js';
import { createTokenStore } from './oauth/token/token-store.js';
import { createRevokeRoutes } from './revocation/revoke-routes.js';
import { createSessionStore } from './sessions/session-store.js';
import type { SigningKeys } from './signing-keys/signing-keys.js';

interface Dependencies {
  readonly config: Config;
  readonly dataSource: DataSource;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  readonly prefixes: ImportedPrefixes;
  readonly lookup: Lookup<'clients' | 'clients_by_id' | 'accounts' | 'refresh_tokens'>;
  readonly verifier: Verifier;
  readonly presentations: Presentations;
  /** Admits any principal, with any scopes. */
  readonly guard: Middleware<GuardedState>;
  /** Admits service credentials with the scope `introspect`. */
  readonly introspectionGuard: Middleware<GuardedState>;
  readonly signingKeys: SigningKeys;
  readonly pages: Pages<OAuthViews>;
  readonly browsers: BrowserSecrets;
  readonly csrf: Csrf;
  readonly clientAddress: (request: Context['req']) => string;
  readonly refusedSignIns: RefusedSignIns;
  readonly docsUrl: string;
  readonly register: Registry;
  /** The monotonic clock of sliding windows, in milliseconds since the epoch. */
  readonly now: () => number;
}

/** OAuth's routes, as `app.ts` mounts them. */
export interface OAuthApp {
  /** Public documents. */
  readonly documents: readonly Route<'public'>[];
  /** Endpoints for programs. Errors have OAuth's form. */
  readonly endpoints: readonly Route<'public'>[];
  /** Pages, and the authorization endpoint. Errors are pages. */
  readonly pages: readonly Route<'public'>[];
  /** The login form, for the console too. */
  readonly signInPage: SignInPage;
  readonly sessions: ConsoleSessions;
  readonly cookieSigner: ReturnType<typeof createCookieSigner>;
  readonly cors: typeof OAUTH_CORS;
}

const POST = { access: 'public', method: 'POST' } as const;
const GET = { access: 'public', method: 'GET' } as const;

/** Composes OAuth: the stores of its features, oidc-provider, and the endpoints beside it. */
export function createOAuthApp(dependencies: Dependencies): OAuthApp {
  const { config, dataSource, keyring, format, lookup, verifier, guard } = dependencies;
  const { signingKeys, pages, browsers, csrf, clientAddress, docsUrl, refusedSignIns } =
    dependencies;
  const issuer = config.ISSUER;
  const { manager, transaction, run } = createTransactions(dataSource);
  const sessions = () => createSessionStore(manager(), keyring);
  const resources = [`${issuer}/api/v1`, issuer] as const;
  const findClient = async (id: string) => {
    const client = await createClientStore(manager()).find(id);
    return client?.blockedAt === null ? client : undefined;
  };
  const secrets = createClientSecrets(keyring, (...move) =>
    createClientStore(manager()).moveSecretDigest(...move),
  );
  // Only the members that pages show: the row contains the password's hash too.
  const findAccount = async (id: string) => {
    const account = await createAccountStore(manager()).find(id);
    return account && { id, email: account.email, name: account.name };
  };
  const hasPassword = (id: string, mark: string) =>
    createAccountStore(manager()).hasPassword(id, mark);
  const limits = createOAuthLimits({
    clientAddress,
    now: dependencies.now,
    authorizationsPerMinute: config.RATE_LIMIT_AUTHORIZE_PER_MINUTE,
  });
  const interactions = createInteractionStore({ run, keyring, browsers, hasPassword });
  const consents = createConsents({
    transaction: (work) => transaction((manager) => work(consentStores(manager))),
  });
  const authorization = createAuthorization({
    consents,
    findAccount,
    resources,
    isAuthenticatedRedirect,
    admit: limits.authorize,
  });
  const protocol = createProtocol(signingKeys, (signing) =>
    createProvider(
      {
        issuer,
        keyring,
        format,
        secrets,
        adapter: {
          codes: createTokenStore(run, keyring),
          interactions,
          sessions: createProtocolSessions(sessions, clientAddress),
          findClient,
        },
        authorization,
        isRegisteredRedirect: isAnyRedirect,
        renderError: (ctx, error) => renderAuthorizationError(pages, ctx, error),
      },
      signing,
    ),
  );
  const endGrant = (row: EndedGrant, actor: Actor, reason: string | null = null) =>
    transaction((manager) => endGrantIn(manager, row, actor, reason));
  const findRefreshRow = createRefreshRows(lookup, keyring);
  const refreshTokens = createRefreshTokens({ findRow: findRefreshRow, format, endGrant });
  const clients = createClientAuthentication({ lookup, keyring, secrets });
  const hashing = createHashingQueue();
  const metrics = createOAuthMetrics(dependencies.register, hashing.state);
  const token = createTokenEndpoint({
    metrics,
    ...{ issuer, resources, signingKeys, keyring, format, clients, findRefreshRow, run },
    protocol: protocol.middleware,
    graceSeconds: config.REFRESH_GRACE_SECONDS,
    admitRefresh: limits.refresh,
    grantMaxDays: config.GRANT_MAX_DAYS,
    endReusedGrant: (ctx, row) => {
      const { requestId } = ctx.state as RequestState;
      const actor = { id: row.client_id, address: clientAddress(ctx.req), requestId };
      return endGrant(row, actor, 'a code or refresh token was used twice');
    },
  });
  const cookies = cookiesOf(issuer);
  const authorize = createAuthorizationEndpoint({
    ...{ resources, pages },
    protocol: protocol.middleware,
    handles: cookies.names,
  });
  const consoleSessions = createConsoleSessions({
    provider: protocol.provider,
    sessions,
    cookies,
    hasPassword,
    clientAddress,
  });

  const resume = createResume({
    ...{ issuer, browsers, interactions, transaction, authorize },
    admit: limits.resume,
    provider: protocol.provider,
    sessions: consoleSessions,
  });

  const signInPage = createSignInPage({
    ...{ pages, csrf, clientAddress, issuer },
    countSignIn: metrics.countSignIn,
    signIn: createSignIn({ dataSource, keyring, refusedSignIns, hashing }),
    deviceCookieName: cookies.names.device,
  });

  return {
    signInPage,
    sessions: consoleSessions,
    cookieSigner: createCookieSigner(keyring),
    documents: createMetadataRoutes({ issuer, docsUrl, signingKeys }),
    endpoints: [
      { ...POST, path: OAUTH_PATHS.token, handle: token as Route<'public'>['handle'] },
      ...createRegistrationRoutes({
        ...{ dataSource, keyring, format, issuer, clientAddress },
        path: OAUTH_PATHS.register,
        limitPerMinute: config.RATE_LIMIT_REGISTRATION_PER_MINUTE,
        redirectHostsAllowed: config.REDIRECT_HOSTS_ALLOWED,
        forgetConsents: (manager, clientId) =>
          createConsentStore(manager).deleteOfClient(null, clientId),
      }),
      ...createRevokeRoutes({
        ...{ verifier, format, refreshTokens, clients, clientAddress, transaction },
        prefixes: dependencies.prefixes,
        path: OAUTH_PATHS.revoke,
      }),
      ...createIntrospectRoutes({
        ...{ issuer, verifier, refreshTokens, clients, presentations: dependencies.presentations },
        guard: dependencies.introspectionGuard,
        path: OAUTH_PATHS.introspect,
      }),
      ...createUserinfoRoutes({
        guard,
        findAccount: createAccountLookup(lookup),
        path: OAUTH_PATHS.userinfo,
        brand: config.TOKEN_BRAND,
      }),
    ],
    pages: [
      { ...GET, path: OAUTH_PATHS.authorize, handle: authorize as Route<'public'>['handle'] },
      {
        ...GET,
        path: `${OAUTH_PATHS.authorize}/:uid`,
        handle: resume as Route<'public'>['handle'],
      },
      {
        ...POST,
        path: OAUTH_PATHS.authorize,
        handle: (ctx) => repeatAuthorizationByGet(pages, ctx),
      },
      ...createInteractionRoutes({
        ...{ issuer, pages, browsers, csrf, interactions, consents, transaction },
        ...{ findClient, findAccount, clientAddress, normalizeEmail },
        isAuthenticatedRedirect,
        isRedirectOf: ({ metadata }, uri) => isAnyRedirect(metadata.redirect_uris, uri),
        provider: protocol.provider,
        signInPage,
        sessions,
      }),
      ...createEndSessionRoutes({
        path: OAUTH_PATHS.endSession,
        pages,
        csrf,
        sessions: consoleSessions,
        findClient,
        findAccount,
        readHint: createIdTokenHints(issuer, signingKeys),
        isRedirectOf: isAnyRedirect,
        home: HOME,
      }),
    ],
    cors: OAUTH_CORS,
  };
}

function isAnyRedirect(registered: readonly string[], presented: string): boolean {
  return registered.some((uri) => isRegisteredRedirect(uri, presented));
}

function consentStores(manager: EntityManager) {
  const clients = createClientStore(manager);
  return {
    grants: createGrantStore(manager),
    consents: createConsentStore(manager),
    audit: createAuditLog(manager),
    memberships: (accountId: string) => createAccountStore(manager).listMemberships(accountId),
    blockedIn: (clientId: string) => clients.listBlockingTenants(clientId),
  };
}

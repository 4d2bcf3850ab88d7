import type { Context, Middleware } from 'koa';
import type { DataSource, EntityManager } from 'typeorm';

import { createAccountLookup } from './accounts/account-lookup.js';
import { createAccountStore } from './accounts/account-store.js';
import { createSignIn } from './accounts/sign-in.js';
import { createAuditLog, type Actor } from './audit/audit-log.js';
import type { RefusedSignIns } from './audit/refused-sign-ins.js';
import { createClientAuthentication } from './clients/client-authentication.js';
import { createClientSecrets } from './clients/client-secrets.js';
import { createClientStore } from './clients/client-store.js';
import { isAuthenticatedRedirect, isRegisteredRedirect } from './clients/redirect-uri.js';
import { createRegistrationRoutes } from './clients/registration-routes.js';
import type { Config } from './config.js';
import { HOME } from './console/return-to.js';
import type { GuardedState } from './credentials/guard.js';
import type { ImportedPrefixes } from './credentials/imported-prefixes.js';
import type { Keyring } from './credentials/keyring.js';
import type { Lookup } from './credentials/lookup.js';
import type { Presentations } from './credentials/presentation.js';
import type { SecretFormat } from './credentials/secret-format.js';
import type { Verifier } from './credentials/verifier.js';
import { createRunPrepared } from './db/prepared.js';
import { createConsentStore } from './grants/consent-store.js';
import { createGrantStore } from './grants/grant-store.js';
import { createAddressLimit } from './http/address-limit.js';
import type { CorsPath } from './http/cors.js';
import type { RequestState } from './http/context.js';
import type { Csrf } from './http/csrf.js';
import type { Pages } from './http/pages.js';
import type { Route } from './http/routes.js';
import { createIntrospectRoutes } from './introspection/introspect-routes.js';
import { createUserinfoRoutes } from './introspection/userinfo-routes.js';
import { createArtifactStore } from './oauth/artifact-store.js';
import {
  createAuthorizationEndpoint,
  renderAuthorizationError,
  repeatAuthorizationByGet,
} from './oauth/authorization-endpoint.js';
import { createAuthorization } from './oauth/authorization.js';
import { createConsents } from './oauth/consents.js';
import { createConsoleSessions, type ConsoleSessions } from './oauth/console-sessions.js';
import { createEndSessionRoutes } from './oauth/end-session.js';
import { createIdTokenHints } from './oauth/id-token-hint.js';
import { createInteractionRoutes } from './oauth/interactions.js';
import { createMetadataRoutes } from './oauth/metadata-routes.js';
import type { OAuthViews } from './oauth/page-data.js';
import { OAUTH_CORS, OAUTH_PATHS } from './oauth/paths.js';
import { createProtocol } from './oauth/protocol.js';
import { createProtocolSessions } from './oauth/protocol-sessions.js';
import { cookiesOf, createCookieSigner, createProvider } from './oauth/provider.js';
import { createRefreshRows } from './oauth/refresh-rows.js';
import { createRefreshTokens } from './oauth/refresh-tokens.js';
import { createSignInPage, type SignInPage } from './oauth/sign-in-page.js';
import { createTokenEndpoint } from './oauth/token-endpoint.js';
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
  /** Admits any principal, whatever its scopes. */
  readonly guard: Middleware<GuardedState>;
  /** Admits whoever may look at their tenant's credentials. */
  readonly introspectionGuard: Middleware<GuardedState>;
  readonly signingKeys: SigningKeys;
  readonly pages: Pages<OAuthViews>;
  readonly csrf: Csrf;
  readonly clientAddress: (request: Context['req']) => string;
  readonly refusedSignIns: RefusedSignIns;
  readonly docsUrl: string;
  /** Milliseconds since the epoch, which never step back: limits slide by them. */
  readonly now: () => number;
}

/** OAuth, as `app.ts` mounts it. */
export interface OAuthApp {
  /** Documents that anybody may read. */
  readonly documents: readonly Route<'public'>[];
  /** What programs call; errors are answered in OAuth's form. */
  readonly endpoints: readonly Route<'public'>[];
  /** What people see, the authorization endpoint included; errors are pages. */
  readonly pages: readonly Route<'public'>[];
  /** The login form and the sessions that it begins, for whoever signs in without an app. */
  readonly signInPage: SignInPage;
  readonly sessions: ConsoleSessions;
  readonly cookieSigner: ReturnType<typeof createCookieSigner>;
  readonly cors: { readonly open: readonly CorsPath[]; readonly decided: readonly CorsPath[] };
}

/** An authorization is resumed after each of its pages: so many times the limit for beginning one. */
const RESUMES = 5;

const POST = { access: 'public', method: 'POST' } as const;
const GET = { access: 'public', method: 'GET' } as const;

/** Puts OAuth together: the stores of its features, the library, and the endpoints beside it. */
export function createOAuthApp(dependencies: Dependencies): OAuthApp {
  const { config, dataSource, keyring, format, lookup, verifier, guard } = dependencies;
  const { signingKeys, pages, csrf, clientAddress, docsUrl, refusedSignIns } = dependencies;
  const issuer = config.ISSUER;
  const { manager } = dataSource;
  const run = createRunPrepared(dataSource);
  const sessionStore = createSessionStore(manager, keyring);
  const resources = [`${issuer}/api/v1`, issuer] as const;
  const findClient = async (id: string) => {
    const client = await createClientStore(manager).find(id);
    return client?.blockedAt === null ? client : undefined;
  };
  const secrets = createClientSecrets(keyring, (...move) =>
    createClientStore(manager).moveSecretDigest(...move),
  );
  // No more of it than pages and id_tokens show: the row holds the password's hash too.
  const findAccount = async (id: string) => {
    const account = await createAccountStore(manager).find(id);
    return account && { id, email: account.email, name: account.name };
  };
  const hasPassword = (id: string, mark: string) =>
    createAccountStore(manager).hasPassword(id, mark);
  const limit = createAddressLimit(dependencies.now);
  const admit = (purpose: string, perMinute: number) => (request: Context['req']) =>
    limit.take(purpose, clientAddress(request), perMinute);
  const consents = createConsents({
    transaction: (work) => dataSource.transaction((within) => work(consentStores(within))),
  });
  const authorization = createAuthorization({
    consents,
    findAccount,
    resources,
    isAuthenticatedRedirect,
    admitStranger: admit('authorize', config.RATE_LIMIT_AUTHORIZE_PER_MINUTE),
  });
  const protocol = createProtocol(signingKeys, (signing) =>
    createProvider(
      {
        issuer,
        keyring,
        format,
        secrets,
        adapter: {
          artifacts: createArtifactStore(run, keyring),
          sessions: createProtocolSessions(sessionStore, clientAddress),
          ...{ findClient, hasPassword },
        },
        authorization,
        isRegisteredRedirect: isAnyRedirect,
        renderError: (ctx, error) => renderAuthorizationError(pages, ctx, error),
      },
      signing,
    ),
  );
  const endGrant = (row: EndedGrant, actor: Actor, reason: string | null = null) =>
    dataSource.transaction((within) => endGrantIn(within, row, actor, reason));
  const findRefreshRow = createRefreshRows(lookup, keyring);
  const refreshTokens = createRefreshTokens({ findRow: findRefreshRow, format, endGrant });
  const clients = createClientAuthentication({ lookup, keyring, secrets });
  const transaction = dataSource.transaction.bind(dataSource) as <Result>(
    work: (within: EntityManager) => Promise<Result>,
  ) => Promise<Result>;
  const token = createTokenEndpoint({
    ...{ issuer, resources, signingKeys, keyring, format, clients, findRefreshRow, run },
    protocol: protocol.middleware,
    graceSeconds: config.REFRESH_GRACE_SECONDS,
    grantMaxDays: config.GRANT_MAX_DAYS,
    endReusedGrant: (ctx, row) => {
      const { requestId } = ctx.state as RequestState;
      const actor = { id: row.client_id, address: clientAddress(ctx.req), requestId };
      return endGrant(row, actor, 'a code or refresh token was used twice');
    },
  });
  const authorize = createAuthorizationEndpoint({
    ...{ resources, pages },
    protocol: protocol.middleware,
    admitResume: admit('resume', RESUMES * config.RATE_LIMIT_AUTHORIZE_PER_MINUTE),
  });

  const signInPage = createSignInPage({
    ...{ pages, csrf, clientAddress, issuer },
    signIn: createSignIn({ dataSource, keyring, refusedSignIns }),
    deviceCookieName: cookiesOf(issuer).names.device,
  });
  const sessions = createConsoleSessions({
    provider: protocol.provider,
    sessions: sessionStore,
    cookies: cookiesOf(issuer),
    hasPassword,
    clientAddress,
  });

  return {
    signInPage,
    sessions,
    cookieSigner: createCookieSigner(keyring),
    documents: createMetadataRoutes({ issuer, docsUrl, signingKeys }),
    endpoints: [
      { ...POST, path: OAUTH_PATHS.token, handle: token as Route<'public'>['handle'] },
      ...createRegistrationRoutes({
        ...{ dataSource, keyring, format, issuer, clientAddress },
        path: OAUTH_PATHS.register,
        limitPerMinute: config.RATE_LIMIT_REGISTRATION_PER_MINUTE,
        redirectHostsAllowed: config.REDIRECT_HOSTS_ALLOWED,
        forgetConsents: (within, clientId) =>
          createConsentStore(within).deleteOfClient(null, clientId),
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
      ...[OAUTH_PATHS.authorize, `${OAUTH_PATHS.authorize}/:uid`].map((path) => ({
        ...GET,
        path,
        handle: authorize as Route<'public'>['handle'],
      })),
      {
        ...POST,
        path: OAUTH_PATHS.authorize,
        handle: (ctx) => repeatAuthorizationByGet(pages, ctx),
      },
      ...createInteractionRoutes({
        ...{ pages, csrf, consents, findClient, findAccount, clientAddress },
        isAuthenticatedRedirect,
        isRedirectOf: ({ metadata }, uri) => isAnyRedirect(metadata.redirect_uris, uri),
        provider: protocol.provider,
        signInPage,
        sessions: sessionStore,
      }),
      ...createEndSessionRoutes({
        path: OAUTH_PATHS.endSession,
        pages,
        csrf,
        sessions,
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

/** Of a code or refresh token what is needed to end its grant. */
type EndedGrant = Readonly<Record<'grant_id' | 'tenant_id' | 'client_id', string>>;

async function endGrantIn(
  manager: EntityManager,
  { grant_id: grantId, tenant_id: tenantId, client_id: clientId }: EndedGrant,
  actor: Actor,
  reason: string | null,
): Promise<void> {
  await createGrantStore(manager).revoke(grantId, actor.id, reason);
  await createAuditLog(manager).record(actor, {
    tenantId,
    action: 'grant.revoke',
    subject: grantId,
    details: { clientId, reason },
  });
}

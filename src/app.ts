import Koa, { type Middleware } from 'koa';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { DataSource } from 'typeorm';

import { createKeyPresenter } from './api-keys/key-presenter.js';
import { createKeyRoutes, type KeyRouteDependencies } from './api-keys/key-routes.js';
import { createKeyService } from './api-keys/key-service.js';
import { createRefusedSignIns, flushedWith } from './audit/refused-sign-ins.js';
import type { Config } from './config.js';
import { createConsoleApp, type ConsoleApp } from './console/index.js';
import { HOME } from './console/return-to.js';
import type { ConsoleViews } from './console/page-data.js';
import { createContactRoutes } from './resources/contacts/contact-routes.js';
import { API_PREFIX, createCorsRules } from './server/cors-rules.js';
import { createActivityRecorder, type ActivityRecorder } from './credentials/store/activity.js';
import { brandHeaders } from './credentials/guard/brand-headers.js';
import { BUDGET_WINDOWS, createBudgets } from './rate-limits/budgets.js';
import {
  ANY_PRINCIPAL,
  createGuard,
  guardLateBody,
  type Access,
  type GuardedState,
} from './credentials/guard/guard.js';
import {
  createImportedPrefixes,
  type ImportedPrefixes,
} from './credentials/verification/prefixes.js';
import type { Keyring } from './credentials/secrets/keyring.js';
import type { ProbedLookup } from './credentials/verification/lookup.js';
import { createPresentations } from './credentials/verification/presentation.js';
import { createSecretFormat } from './credentials/secrets/format.js';
import { createSessionLimit } from './rate-limits/session-limit.js';
import { createVerifier } from './credentials/verification/verifier.js';
import { createProtectedResourceRoutes, METADATA_PATHS } from './discovery/protected-resource.js';
import { createBackgroundWork, type BackgroundWork } from './db/background-work.js';
import { registerPoolMetrics } from './db/pool-metrics.js';
import { createErrorPageRoutes, ERROR_PAGE_PATH, type DocsViews } from './discovery/error-page.js';
import { errorMessage } from './db/errors.js';
import { readBody } from './http/body/body.js';
import { createBrowserSecrets } from './http/pages/browser-secret.js';
import { createBrowserSupport } from './http/pages/browser.js';
import { createClientAddress, createProxyWarning } from './http/client-address.js';
import type { RequestState } from './http/context.js';
import { createCors } from './http/cors.js';
import { createCsrf } from './http/pages/csrf.js';
import { createHealthRoutes } from './http/health.js';
import { createIdempotency } from './http/idempotency/idempotency.js';
import { answerOAuthErrors } from './http/errors/oauth-error.js';
import { answerPageErrors } from './http/errors/page-errors.js';
import { useIssuerOrigin } from './http/issuer.js';
import { createPages } from './http/pages/pages.js';
import { createPagination } from './http/pagination.js';
import { createQueryCheck } from './http/query.js';
import { mountAt } from './http/mount-at.js';
import {
  createReplicaSync,
  createSteadyClock,
  type ReplicaSync,
} from './rate-limits/replica-sync.js';
import { createRateLimit } from './rate-limits/middleware.js';
import { createRateWindowStore } from './rate-limits/window-store.js';
import { referenceOf } from './http/request-facts.js';
import { createRequests } from './http/requests.js';
import { createRoutes, type Route } from './http/routes.js';
import { createSecurityHeaders } from './http/security-headers.js';
import { createReader, createUnitOfWork } from './http/idempotency/unit-of-work.js';
import { createMeRoutes } from './introspection/me-routes.js';
import { createScopeRoutes } from './discovery/scope-routes.js';
import type { LOOKUP_QUERIES } from './server/lookup-queries.js';
import { PAGE_PATHS } from './server/page-paths.js';
import type { OAuthViews } from './oauth/authorize/views.js';
import { createOAuth } from './oauth/index.js';
import { renderPageError } from './oauth/authorize/endpoint.js';
import { createProductRoutes } from './resources/products/product-routes.js';
import type { SigningKeys } from './signing-keys/signing-keys.js';
import { createSpaceContextResolver } from './spaces/space-context-resolver.js';
import { createSpaceRoutes } from './spaces/space-routes.js';
import { createUsageRoutes } from './rate-limits/usage-routes.js';

export interface AppDependencies {
  readonly config: Config;
  readonly dataSource: DataSource;
  readonly lookup: ProbedLookup<keyof typeof LOOKUP_QUERIES>;
  readonly signingKeys: SigningKeys;
  readonly keyring: Keyring;
  readonly log: Logger;
  readonly register: Registry;
  /** Whether the server has begun to stop. */
  readonly isStopping: () => boolean;
  /** The clock of sliding windows, in milliseconds since the epoch. */
  readonly clock?: () => number;
}

export interface App {
  readonly koa: Koa;
  /** Pending writes of last uses. Flush it regularly and before the end. */
  readonly activity: ActivityRecorder;
  /** Prefixes of imported keys. Refresh them every few seconds. */
  readonly prefixes: Pick<ImportedPrefixes, 'refresh'>;
  /** Shares budget counts with other replicas. Call `sync` every second and before the end. */
  readonly budgets: Pick<ReplicaSync, 'sync'>;
  /** Measures the background work. */
  readonly work: BackgroundWork;
  /** Every route of the resource API for credentials, as declared. */
  readonly apiRoutes: readonly Route<Access, GuardedState>[];
  /** Every route of the resource API for signed-in browsers. */
  readonly sessionRoutes: ConsoleApp['apiRoutes'];
  /** All other routes: OAuth's endpoints, pages, documents and health. */
  readonly otherRoutes: readonly Pick<Route<unknown>, 'method' | 'path'>[];
}

/** The query parameter for publishable keys. The guard validates it before the route's schema. */
const KEY_QUERY = ['auth_token'];

/** Composes the server. Middleware runs in the order in which it is mounted here. */
export function createApp(dependencies: AppDependencies): App {
  const { config, dataSource, lookup, keyring, signingKeys, log, register, isStopping } =
    dependencies;
  registerPoolMetrics(dataSource, register);
  const work = createBackgroundWork(register);
  const issuer = config.ISSUER;
  const format = createSecretFormat({ brand: config.TOKEN_BRAND });
  const headers = brandHeaders(config.TOKEN_BRAND);
  const keyHeaders = ['X-API-Key', headers.token];
  const resourceMetadataUrl = issuer + METADATA_PATHS.api;
  const clientAddress = createClientAddress(config.TRUST_PROXY);
  const presentations = createPresentations(headers.token, format);
  const pagination = createPagination(keyring);
  const browsers = createBrowserSecrets(issuer);
  const csrf = createCsrf({ ...keyring, issuer, browsers });
  const pages = createPages<DocsViews & OAuthViews & ConsoleViews>({
    brandName: config.BRAND_NAME,
    issuer,
  });
  const activity = createActivityRecorder({ dataSource, keyring, log, work });
  const refusedSignIns = createRefusedSignIns({ dataSource, log, work });
  const prefixes = createImportedPrefixes(dataSource.manager, format.start);
  const verifier = createVerifier({ lookup, format, prefixes, keyring, observer: activity });
  const guard = createGuard({
    verifier,
    presentations,
    clientAddress,
    activity,
    register,
    resourceMetadataUrl,
    audiences: [issuer, `${issuer}/api/v1`],
  });
  const budgets = createBudgets({
    limits: {
      tenantPerHour: config.RATE_LIMIT_TENANT_PER_HOUR,
      keyPerMinute: config.RATE_LIMIT_KEY_PER_MINUTE,
      tokenSharePercent: config.RATE_LIMIT_TOKEN_SHARE_PERCENT,
    },
    clientAddress,
  });
  const sync = createReplicaSync({
    store: createRateWindowStore(dataSource.manager, BUDGET_WINDOWS),
    buckets: budgets.buckets,
    clock: dependencies.clock ?? createSteadyClock(),
    log,
    work,
  });
  const limitRate = createRateLimit<GuardedState>({
    sharesOf: ({ state, req }, time) => budgets.sharesOf(state.principal, req, time),
    ...{ now: sync.now, register },
  });
  // The space is part of a request's identity.
  const idempotency = createIdempotency(keyring, [headers.space]);
  const unitOfWork = createUnitOfWork<GuardedState>({
    ...{ dataSource, idempotency },
    callerOf: ({ principal }) => ({
      scope: principal.tenantId,
      // Access tokens change every hour, so the client identifies the caller.
      identity: [
        principal.principalId,
        principal.token?.clientId ?? principal.credentialId,
        principal.environment,
        ...(principal.spaces ?? []),
      ],
    }),
  });
  const reader = createReader(dataSource);

  const keys: KeyRouteDependencies = {
    ...{ pagination, clientAddress, present: createKeyPresenter(keyring) },
    serviceOf: ({ state: { manager } }) =>
      createKeyService({
        ...{ manager, keyring, format },
        defaultRateLimit: config.RATE_LIMIT_KEY_PER_MINUTE,
        secondsSinceUse: (id) => activity.secondsSinceUse(id),
      }),
  };
  const spaceContext = createSpaceContextResolver({ pagination, lookup, header: headers.space });
  const apiRoutes = [
    ...createMeRoutes(),
    ...createScopeRoutes(),
    ...createContactRoutes({ spaceContext }),
    ...createProductRoutes({ spaceContext }),
    ...createSpaceRoutes({ pagination, clientAddress }),
    ...createUsageRoutes({ budgets, now: sync.now }),
    ...createKeyRoutes(keys),
  ];
  const oauth = createOAuth({
    settings: config,
    home: HOME,
    ...{ dataSource, keyring, format, lookup, verifier, signingKeys, pages, clientAddress },
    ...{ browsers, csrf, presentations, prefixes, refusedSignIns, register, now: sync.now },
    guard: guard({ scopes: [], principals: ANY_PRINCIPAL }),
    introspectionGuard: guard({ scopes: ['introspect'], principals: ['service'] }),
    docsUrl: issuer + ERROR_PAGE_PATH,
  });
  const settings = createConsoleApp({
    ...{ dataSource, pages, csrf, clientAddress, presentations, keys, idempotency },
    ...{ sessions: oauth.sessions, signInPage: oauth.signInPage, resourceMetadataUrl },
    refuse: guard(undefined) as Middleware,
    limitSession: createSessionLimit({ ...sync, register, buckets: budgets.perMinute }),
    tenantHeader: headers.tenant,
  });
  const openRoutes = [
    ...createHealthRoutes({ dataSource, lookup, isStopping }),
    ...createProtectedResourceRoutes({ issuer, brandName: config.BRAND_NAME }),
    ...createErrorPageRoutes({ pages }),
    ...oauth.documents,
  ];

  const koa = new Koa<RequestState>();
  koa.keys = oauth.cookieSigner as unknown as string[];
  useIssuerOrigin(koa, issuer);
  // Only connection errors arrive here. Koa would print them. Request errors are handled in the middleware.
  koa.on('error', (error, ctx?: Parameters<typeof referenceOf>[0]) =>
    log.debug({ ...(ctx && referenceOf(ctx)), cause: errorMessage(error) }, 'a connection broke'),
  );
  koa.use(createRequests({ log, register, clientAddress, docsUrl: issuer + ERROR_PAGE_PATH }));
  koa.use(createSecurityHeaders(issuer));
  koa.use(createProxyWarning(config.TRUST_PROXY, log));
  koa.use(
    createBrowserSupport({
      ...{ issuer, apiPrefix: '/api', pages: [...PAGE_PATHS, '/docs'], home: '/settings' },
      credentialHeaders: ['Authorization', ...keyHeaders],
      renderError: (ctx, error) => renderPageError(pages, ctx, error),
    }),
  );
  koa.use(
    createCors(
      createCorsRules({
        config,
        oauth: oauth.cors,
        apiRoutes,
        presentations,
        keyHeaders,
      }),
    ),
  );
  koa.use(
    createRoutes(API_PREFIX, apiRoutes, (route): Middleware<GuardedState>[] => [
      guard(route.access),
      ...(route.access === 'public' ? [] : [limitRate(route)]),
      createQueryCheck([...(route.query ?? []), ...(route.method === 'GET' ? KEY_QUERY : [])]),
      ...(route.method === 'GET'
        ? [reader]
        : [readBody, guardLateBody(guard(route.access)), unitOfWork(route)]),
    ]) as Middleware<RequestState>,
  );
  koa.use(
    createRoutes(API_PREFIX, settings.apiRoutes, settings.before) as Middleware<RequestState>,
  );
  koa.use(
    mountAt(
      [...oauth.endpoints.map(({ path }) => path.replace(/:.*/, ''))],
      answerOAuthErrors,
      createRoutes('', oauth.endpoints, () => []),
    ),
  );
  koa.use(
    mountAt(
      PAGE_PATHS,
      answerPageErrors((ctx, error) => renderPageError(pages, ctx, error)),
      createRoutes('', [...oauth.pages, ...settings.signIn], () => []),
    ),
  );
  koa.use(mountAt(['/settings/'], settings.pages));
  koa.use(createRoutes('', openRoutes, () => []));
  return {
    ...{ koa, prefixes, work, activity: flushedWith(activity, refusedSignIns) },
    budgets: sync,
    apiRoutes,
    sessionRoutes: settings.apiRoutes,
    otherRoutes: [
      ...oauth.endpoints,
      ...oauth.pages,
      ...settings.signIn,
      ...settings.pageRoutes,
      ...openRoutes,
    ],
  };
}

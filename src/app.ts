import type Koa from 'koa';
import type { Middleware } from 'koa';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { DataSource } from 'typeorm';

import { createApiKeys, createKeyRoutes } from './api-keys/index.js';
import { createAuditRoutes, createExporter } from './audit-log/index.js';
import { createRefusedSignIns, flushedWith } from './audit/index.js';
import type { Config } from './config.js';
import { type Console, type ConsoleViews, createConsole, HOME } from './console/index.js';
import {
  type Access,
  type ActivityRecorder,
  ANY_PRINCIPAL,
  corsOf,
  createCredentials,
  type GuardedState,
  type ImportedPrefixes,
  type Keyring,
  type ProbedLookup,
} from './credentials/index.js';
import { createBackgroundWork, type BackgroundWork } from './db/background-work.js';
import { registerPoolMetrics } from './db/pool-metrics.js';
import {
  createErrorPageRoutes,
  createProtectedResourceRoutes,
  createScopeRoutes,
  type DocsViews,
  ERROR_PAGE_PATH,
  METADATA_PATHS,
} from './discovery/index.js';
import { createRefreshRows } from './grants/index.js';
import { createClientAddress, createProxyWarning } from './http/client-address.js';
import type { RequestState } from './http/context.js';
import { createCors } from './http/cors.js';
import { answerOAuthErrors } from './http/errors/oauth-error.js';
import { answerPageErrors } from './http/errors/page-errors.js';
import { createHealthRoutes } from './http/health.js';
import { createIdempotency } from './http/idempotency/idempotency.js';
import { createKoa } from './http/koa.js';
import { mountAt } from './http/mount-at.js';
import { createAssets } from './http/pages/assets.js';
import { createBrowserSecrets } from './http/pages/browser-secret.js';
import { createBrowserSupport } from './http/pages/browser.js';
import { createCsrf } from './http/pages/csrf.js';
import { createPages } from './http/pages/pages.js';
import { createPagination } from './http/pagination.js';
import { ownResources } from './http/resource-uri.js';
import { createRequests } from './http/requests.js';
import { API_PREFIX } from './http/route-declaration.js';
import { createRouter } from './http/router.js';
import type { Route } from './http/routes.js';
import { createSecurityHeaders } from './http/security-headers.js';
import { createMeRoutes } from './introspection/index.js';
import { createMail, type Mail } from './mail/index.js';
import { createOAuth, type OAuthViews, renderPageError } from './oauth/index.js';
import { createOutbound } from './outbound/index.js';
import { createRateLimits, type RateLimits } from './rate-limits/index.js';
import { createServerAuthentication } from './resource-servers/index.js';
import { createContactRoutes, createProductRoutes } from './resources/index.js';
import { createApiPipeline } from './server/api.js';
import { brandOf } from './server/brand.js';
import type { LOOKUP_QUERIES } from './server/lookup-queries.js';
import { PAGE_PATHS } from './server/page-paths.js';
import type { SigningKeys } from './signing-keys/index.js';
import { createExposedCredentialRoutes } from './revocation/index.js';
import { createSpaceContextResolver, createSpaceRoutes } from './spaces/index.js';
import { createUsageHistoryRoutes } from './usage/index.js';

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
  readonly budgets: Pick<RateLimits, 'sync'>;
  /** Sends queued mail. Call `deliver` every few seconds. */
  readonly mail: Mail;
  /** Measures the background work. */
  readonly work: BackgroundWork;
  /** Every route of the resource API for credentials, as declared. */
  readonly apiRoutes: readonly Route<Access, GuardedState>[];
  /** Every route of the resource API for signed-in browsers. */
  readonly sessionRoutes: Console['apiRoutes'];
  /** All other routes: OAuth's endpoints, pages, documents and health. */
  readonly otherRoutes: readonly Pick<Route<unknown>, 'method' | 'path'>[];
}

type Platform = ReturnType<typeof createPlatform>;
type Kernel = ReturnType<typeof createKernel>;
type Features = ReturnType<typeof createFeatures>;
type PageRenderer = Parameters<typeof answerPageErrors>[0];

/** Composes the server. */
export function createApp(dependencies: AppDependencies): App {
  const platform = createPlatform(dependencies);
  const kernel = createKernel(dependencies, platform);
  const features = createFeatures(dependencies, platform, kernel);
  const { apiRoutes, oauth, settings, openRoutes } = features;
  return {
    koa: mount(dependencies, platform, kernel, features),
    activity: flushedWith(kernel.credentials.activity, kernel.refusedSignIns),
    prefixes: kernel.credentials.prefixes,
    budgets: kernel.rateLimits,
    mail: kernel.mail,
    work: platform.work,
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

/** Parts that know neither credentials nor features. */
function createPlatform({ config, dataSource, keyring, register }: AppDependencies) {
  registerPoolMetrics(dataSource, register);
  const issuer = config.ISSUER;
  const browsers = createBrowserSecrets(issuer);
  const brand = brandOf(config);
  const assets = createAssets(brand);
  return {
    work: createBackgroundWork(register),
    clientAddress: createClientAddress(config.TRUST_PROXY),
    router: createRouter(),
    pagination: createPagination(keyring),
    browsers,
    csrf: createCsrf({ ...keyring, issuer, browsers }),
    assets,
    pages: createPages<DocsViews & OAuthViews & ConsoleViews>({ brand, issuer, assets }),
    docsUrl: issuer + ERROR_PAGE_PATH,
    outbound: createOutbound({ register, isLoopbackAllowed: config.OUTBOUND_ALLOW_LOOPBACK }),
    resourceMetadataUrl: issuer + METADATA_PATHS.api,
  };
}

/** The parts that all routes share: credentials, rate limits, idempotency. */
function createKernel(dependencies: AppDependencies, platform: Platform) {
  const { config, dataSource, keyring, log } = dependencies;
  const { work } = platform;
  const credentials = createCredentials({
    ...dependencies,
    ...platform,
    brand: config.TOKEN_BRAND,
    issuer: config.ISSUER,
    audiences: ownResources(config.ISSUER),
  });
  const { manager } = dataSource;
  const { format, activity } = credentials;
  return {
    credentials,
    servers: createServerAuthentication({ ...dependencies, format, observer: activity }),
    rateLimits: createRateLimits({ ...dependencies, ...platform, settings: config, manager }),
    // The space is part of a request's identity.
    idempotency: createIdempotency(keyring, [credentials.headers.space]),
    refusedSignIns: createRefusedSignIns({ dataSource, log, work }),
    mail: createMail({
      ...dependencies,
      ...platform,
      manager,
      issuer: config.ISSUER,
      brandName: config.BRAND_NAME,
      server: config.SMTP_URL,
      from: config.MAIL_FROM,
    }),
  };
}

/** Each feature contributes its routes. */
function createFeatures(dependencies: AppDependencies, platform: Platform, kernel: Kernel) {
  const { config } = dependencies;
  const { credentials, rateLimits } = kernel;
  const { guard, headers } = credentials;
  const shared = { ...dependencies, ...platform, ...credentials, ...kernel };
  const spaceContext = createSpaceContextResolver({ ...shared, header: headers.space });
  const exporter = createExporter();
  const keys = createApiKeys({ ...shared, defaultRateLimit: config.RATE_LIMIT_KEY_PER_MINUTE });
  const oauth = createOAuth({
    ...shared,
    settings: config,
    now: rateLimits.now,
    guard: guard({ scopes: [], principals: ANY_PRINCIPAL }),
    introspectionGuard: guard({ scopes: ['introspect'], principals: ['service'] }),
    home: HOME,
  });
  const settings = createConsole({
    ...shared,
    keys,
    sessions: oauth.sessions,
    signInPage: oauth.signInPage,
    refuse: guard(undefined) as Middleware,
    limitSession: rateLimits.limitSession,
    tenantHeader: headers.tenant,
  });
  return {
    oauth,
    settings,
    /** The resource API. A new feature adds its routes here. */
    apiRoutes: [
      ...createMeRoutes(),
      ...createScopeRoutes(),
      ...createContactRoutes({ spaceContext }),
      ...createProductRoutes({ spaceContext }),
      ...createSpaceRoutes(platform),
      ...rateLimits.routes,
      ...createUsageHistoryRoutes(),
      ...createAuditRoutes({ ...platform, exporter }),
      ...createKeyRoutes(keys),
      ...createExposedCredentialRoutes({
        ...shared,
        now: rateLimits.now,
        scannerKeys: config.SECRET_SCANNING_KEYS,
        findRefreshRow: createRefreshRows(dependencies.lookup, dependencies.keyring),
      }),
    ].map((route) => ({ ...route, cors: corsOf(route) })),
    /** Public documents. */
    openRoutes: [
      ...createHealthRoutes(dependencies),
      ...createProtectedResourceRoutes({ issuer: config.ISSUER, brandName: config.BRAND_NAME }),
      ...createErrorPageRoutes(platform),
      ...platform.assets.routes,
      ...oauth.documents,
    ],
  };
}

/** Mounts middleware in the order in which it runs. */
function mount(
  { config, dataSource, log, register }: AppDependencies,
  { clientAddress, docsUrl, pages, router }: Platform,
  { credentials, rateLimits, idempotency }: Kernel,
  { oauth, settings, apiRoutes, openRoutes }: Features,
): Koa {
  const issuer = config.ISSUER;
  const { guard, keyHeaders } = credentials;
  const renderError: PageRenderer = (ctx, error) => renderPageError(pages, ctx, error);
  const pipeline = createApiPipeline({
    dataSource,
    idempotency,
    guard,
    limitRate: rateLimits.limit,
  });
  const endpointPaths = oauth.endpoints.map(({ path }) => path.replace(/:.*/, ''));
  const layers = [
    createRequests({ log, register, clientAddress, docsUrl }),
    createSecurityHeaders(issuer),
    createProxyWarning(config.TRUST_PROXY, log),
    createBrowserSupport({
      issuer,
      apiPrefix: '/api',
      pages: [...PAGE_PATHS, '/docs'],
      home: '/settings',
      credentialHeaders: ['Authorization', ...keyHeaders],
      renderError,
    }),
    router.find,
    createCors(credentials.corsRules(config.CORS_ALLOWED_ORIGINS)),
    router.mount(API_PREFIX, apiRoutes, settings.withSessions(pipeline)),
    router.mount(API_PREFIX, settings.apiRoutes, settings.before),
    mountAt(
      endpointPaths,
      answerOAuthErrors,
      router.mount('', oauth.endpoints, () => []),
    ),
    mountAt(
      PAGE_PATHS,
      answerPageErrors(renderError),
      router.mount('', [...oauth.pages, ...settings.signIn], () => []),
    ),
    mountAt(['/settings'], settings.pages),
    router.mount('', openRoutes, () => []),
  ];
  const koa = createKoa({ issuer, log, cookieSigner: oauth.cookieSigner });
  for (const layer of layers) koa.use(layer as Middleware<RequestState>);
  return koa;
}

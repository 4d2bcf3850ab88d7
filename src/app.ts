import type Koa from 'koa';
import type { Middleware } from 'koa';

import { createAnnotationLookup, createMembershipService } from './accounts/index.js';
import { type ApiKeys, createApiKeys, createKeyRoutes } from './api-keys/index.js';
import { createAuditRoutes, createExporter, type Exporter } from './audit-log/index.js';
import { flushedWith } from './audit/index.js';
import { type Console, HOME, createConsole, loginFor } from './console/index.js';
import { createClientLogos, createLogoRoutes } from './clients/index.js';
import {
  ANY_PRINCIPAL,
  type ActivityRecorder,
  type GuardedRoute,
  type ImportedPrefixes,
  corsOf,
} from './credentials/index.js';
import { createMetadataReader, createPreRegistration } from './clients/index.js';
import type { BackgroundWork } from './db/background-work.js';
import {
  createErrorPageRoutes,
  createOpenApiRoutes,
  createProtectedResourceRoutes,
  createScopeRoutes,
} from './discovery/index.js';
import { createConsentStore, createRefreshRows } from './grants/index.js';
import { createProxyHeaders } from './http/client-address.js';
import { createHealthRoutes } from './http/health.js';
import { createHostRule } from './http/public-host.js';
import { ownResources } from './http/resource-uri.js';
import { API_PREFIX, type RouteDeclaration } from './http/route-declaration.js';
import type { Route } from './http/routes.js';
import { createMeRoutes } from './introspection/index.js';
import type { Mail } from './mail/index.js';
import { createOAuth, type OAuth } from './oauth/index.js';
import { createOperatorApi, type OperatorApi } from './operator/index.js';
import type { RateLimits } from './rate-limits/index.js';
import { createContactRoutes, createProductRoutes } from './resources/index.js';
import { createExposedCredentialRoutes } from './revoke-endpoints/index.js';
import type { AppDependencies } from './server/app-dependencies.js';
import { type Kernel, createKernel } from './server/kernel.js';
import { createKoaApp } from './server/koa-app.js';
import { type Platform, createPlatform } from './server/platform.js';
import { createSessionStore } from './sessions/index.js';
import { createSignInProviders } from './sign-in-providers/index.js';
import {
  createSpaceContextResolver,
  createSpaceRoutes,
  type SpaceContextResolver,
} from './spaces/index.js';
import { type CredentialTester, createTester, createTesterRoutes } from './tester/index.js';
import { createUsageHistoryRoutes } from './usage/index.js';
import { createVerification } from './verify-endpoints/index.js';

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
  /** Sends requests to other servers. */
  readonly outbound: Platform['outbound'];
  /** Measures the background work. */
  readonly work: BackgroundWork;
  /** Every route of the resource API for credentials, as declared. */
  readonly apiRoutes: readonly GuardedRoute[];
  /** Every route of the resource API for signed-in browsers. */
  readonly sessionRoutes: Console['apiRoutes'];
  /** All other routes: OAuth's endpoints, pages, documents and health. */
  readonly otherRoutes: readonly Pick<Route<unknown>, 'method' | 'path'>[];
}

/** Composes the server. */
export function createApp(dependencies: AppDependencies): App {
  const platform = createPlatform(dependencies);
  const kernel = createKernel(dependencies, platform);
  const features = createFeatures(dependencies, platform, kernel);
  const { apiRoutes, oauth, settings, verification, operator } = features;
  const openRoutes = createOpenRoutes(dependencies, platform, features);
  return {
    koa: createKoaApp(dependencies, platform, kernel, { ...features, openRoutes }),
    activity: flushedWith(kernel.credentials.activity, kernel.refusedSignIns),
    prefixes: kernel.credentials.prefixes,
    budgets: kernel.rateLimits,
    mail: kernel.mail,
    outbound: platform.outbound,
    work: platform.work,
    apiRoutes,
    sessionRoutes: settings.apiRoutes,
    otherRoutes: [
      ...oauth.endpoints,
      ...verification.routes,
      ...operator.routes,
      ...oauth.pages,
      ...settings.signIn,
      ...settings.pageRoutes,
      ...openRoutes,
    ],
  };
}

/** Each feature contributes its routes. */
function createFeatures(dependencies: AppDependencies, platform: Platform, kernel: Kernel) {
  const { config } = dependencies;
  const { credentials, rateLimits } = kernel;
  const { guard, headers } = credentials;
  const shared = { ...dependencies, ...platform, ...credentials, ...kernel };
  const spaceContext = createSpaceContextResolver({ ...shared, header: headers.space });
  const verification = createVerificationOf(dependencies, platform, kernel, spaceContext);
  const exporter = createExporter();
  const keys = createApiKeys({
    ...shared,
    issuer: config.ISSUER,
    defaultRateLimit: config.RATE_LIMIT_KEY_PER_MINUTE,
  });
  const logos = createClientLogos({ ...platform, manager: dependencies.dataSource.manager });
  const providers = createProviders(dependencies, platform, kernel);
  const oauth = createOAuth({
    ...shared,
    providers,
    logos,
    spaceContext,
    settings: config,
    now: rateLimits.now,
    guard: guard({ scopes: [], principals: ANY_PRINCIPAL }),
    introspectionGuard: guard({ scopes: ['introspect'], principals: ['service'] }),
    home: HOME,
    loginFor,
  });
  const tester = createTester({ ...shared, routes: () => apiRoutes });
  const settings = createConsole({
    ...shared,
    logos,
    keys,
    tester,
    exporter,
    auditRetentionDays: config.AUDIT_RETENTION_DAYS,
    providers,
    continueAuthorization: oauth.continueAuthorization,
    sessions: oauth.sessions,
    signInPage: oauth.signInPage,
    hashing: oauth.hashing,
    issuer: config.ISSUER,
    now: rateLimits.now,
    refuse: guard(undefined) as Middleware,
    limitSession: rateLimits.limitSession,
    tenantHeader: headers.tenant,
  });
  const operator = createOperator(dependencies, platform, kernel, { keys, oauth });
  const parts = { spaceContext, exporter, keys, tester };
  const apiRoutes = createApiRoutes(dependencies, platform, kernel, parts);
  return {
    oauth,
    settings,
    verification,
    operator,
    apiRoutes,
    spaceHeader: headers.space,
  };
}

function createProviders(dependencies: AppDependencies, platform: Platform, kernel: Kernel) {
  const { config, keyring } = dependencies;
  return createSignInProviders({
    ...dependencies,
    ...platform,
    ...kernel,
    now: kernel.rateLimits.now,
    settings: config.SIGN_IN_PROVIDERS,
    issuer: config.ISSUER,
    sessionsIn: (manager) => createSessionStore(manager, keyring),
    membershipsIn: (manager) =>
      createMembershipService(manager, (transaction, ...which) =>
        createConsentStore(transaction).deleteOfMember(...which),
      ),
  });
}

/** Verification for other services. */
function createVerificationOf(
  dependencies: AppDependencies,
  platform: Platform,
  kernel: Kernel,
  spaceContext: SpaceContextResolver,
) {
  const { config } = dependencies;
  const shared = { ...dependencies, ...platform, ...kernel.credentials, ...kernel };
  return createVerification({
    ...shared,
    spaceContext,
    annotationsOf: createAnnotationLookup(dependencies.lookup),
    issuer: config.ISSUER,
    proxyHeader: createProxyHeaders(config.TRUST_PROXY),
    spaceHeader: kernel.credentials.headers.space,
    ownResources: ownResources(config.ISSUER),
  });
}

function createOperator(
  dependencies: AppDependencies,
  platform: Platform,
  kernel: Kernel,
  { keys, oauth }: { readonly keys: ApiKeys; readonly oauth: OAuth },
): OperatorApi {
  const { config } = dependencies;
  const shared = { ...dependencies, ...platform, ...kernel.credentials, ...kernel };
  return createOperatorApi({
    ...shared,
    keys,
    isFetchable: platform.outbound.isFetchable,
    hashing: oauth.hashing,
    ownResources: ownResources(config.ISSUER),
    refuseOthers: kernel.credentials.guard({ scopes: [], principals: [] }),
    preRegistration: createPreRegistration({
      ...shared,
      readMetadata: createMetadataReader({
        isHostAllowed: createHostRule(config.REDIRECT_HOSTS_ALLOWED),
        isFetchable: platform.outbound.isFetchable,
      }),
    }),
  });
}

/** The resource API. A new feature adds its routes here. */
function createApiRoutes(
  dependencies: AppDependencies,
  platform: Platform,
  kernel: Kernel,
  parts: {
    readonly spaceContext: SpaceContextResolver;
    readonly exporter: Exporter;
    readonly keys: ApiKeys;
    readonly tester: CredentialTester;
  },
): GuardedRoute[] {
  const { config, lookup, keyring } = dependencies;
  const { rateLimits } = kernel;
  const shared = { ...dependencies, ...platform, ...kernel.credentials };
  const { spaceContext, exporter, keys, tester } = parts;
  return [
    ...createMeRoutes(),
    ...createScopeRoutes(),
    ...createContactRoutes({ ...platform, spaceContext }),
    ...createProductRoutes({ ...platform, spaceContext }),
    ...createSpaceRoutes(platform),
    ...rateLimits.routes,
    ...createUsageHistoryRoutes(),
    ...createAuditRoutes({ ...platform, exporter }),
    ...createKeyRoutes(keys),
    ...createTesterRoutes({ ...platform, tester }),
    ...createExposedCredentialRoutes({
      ...shared,
      operators: kernel.operators,
      now: rateLimits.now,
      scannerKeys: config.SECRET_SCANNING_KEYS,
      findRefreshRow: createRefreshRows(lookup, keyring),
    }),
  ].map((route) => ({ ...route, cors: corsOf(route) }));
}

/** Public documents. */
function createOpenRoutes(
  dependencies: AppDependencies,
  platform: Platform,
  features: ReturnType<typeof createFeatures>,
): Route<'public'>[] {
  const { apiRoutes, oauth, operator, settings, verification, spaceHeader } = features;
  const { ISSUER: issuer, BRAND_NAME: brandName } = dependencies.config;
  const belowPrefix = [
    ...apiRoutes,
    ...verification.routes,
    ...settings.apiRoutes,
    ...operator.routes,
  ];
  return [
    ...createHealthRoutes(dependencies),
    ...createProtectedResourceRoutes({ issuer, brandName }),
    ...createErrorPageRoutes(platform),
    ...createOpenApiRoutes({
      ...platform,
      issuer,
      brandName,
      spaceHeader,
      routes: [...belowPrefix.map(belowApi), ...oauth.endpoints],
    }),
    ...platform.assets.routes,
    ...createLogoRoutes(dependencies.dataSource),
    ...oauth.documents,
  ];
}

/** Routes of the API are declared relative to its prefix. */
const belowApi = (route: RouteDeclaration): RouteDeclaration => ({
  ...route,
  path: `${API_PREFIX}${route.path}`,
});

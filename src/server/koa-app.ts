import type Koa from 'koa';
import type { Middleware } from 'koa';

import type { Console } from '../console/index.js';
import type { GuardedRoute } from '../credentials/index.js';
import { createProxyWarning } from '../http/client-address.js';
import type { RequestState } from '../http/context.js';
import { createCors } from '../http/cors.js';
import { answerOAuthErrors } from '../http/errors/oauth-error.js';
import { answerPageErrors } from '../http/errors/page-errors.js';
import { createKoa } from '../http/koa.js';
import { mountAt } from '../http/mount-at.js';
import { createBrowserSupport } from '../http/pages/browser.js';
import { createRequests } from '../http/requests.js';
import { API_PREFIX } from '../http/route-declaration.js';
import type { Route } from '../http/routes.js';
import { securityHeadersFor } from '../http/security-headers.js';
import { type OAuth, OAUTH_PATHS, renderPageError } from '../oauth/index.js';
import type { OperatorApi } from '../operator/index.js';
import { FORWARD_AUTH_PATH, type Verification } from '../verify-endpoints/index.js';
import { createApiPipeline } from './api.js';
import type { AppDependencies } from './app-dependencies.js';
import type { Kernel } from './kernel.js';
import type { Platform } from './platform.js';

/** The routes of features, by the way in which they are mounted. */
export interface Features {
  readonly oauth: OAuth;
  readonly settings: Console;
  readonly verification: Verification;
  readonly operator: OperatorApi;
  readonly apiRoutes: readonly GuardedRoute[];
  readonly openRoutes: readonly Route<'public'>[];
}

/** Path prefixes of pages. */
const PAGE_PATHS = [
  OAUTH_PATHS.authorize,
  OAUTH_PATHS.endSession,
  '/login',
  '/logout',
  '/consent',
  '/device',
  '/forgot-password',
  '/reset-password',
  '/invitation',
  '/confirm-email',
  '/settings',
];

type PageRenderer = Parameters<typeof answerPageErrors>[0];

/** Makes the Koa application: middleware in the order in which it runs. */
export function createKoaApp(
  { config, dataSource, log, register }: AppDependencies,
  { clientAddress, docsUrl, pages, router }: Platform,
  { credentials, rateLimits, idempotency }: Kernel,
  { oauth, settings, verification, operator, apiRoutes, openRoutes }: Features,
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
    createRequests({
      log,
      register,
      clientAddress,
      docsUrl,
      fixedHeaders: securityHeadersFor(issuer),
    }),
    createProxyWarning(config.TRUST_PROXY, log),
    createBrowserSupport({
      issuer,
      apiPrefix: '/api',
      pages: [...PAGE_PATHS, '/docs'],
      home: '/settings',
      credentialHeaders: ['Authorization', ...keyHeaders],
      renderError,
    }),
    // Before CORS: a gateway takes any 2xx for a permission, also one for a preflight.
    mountAt([FORWARD_AUTH_PATH], verification.forwardAuth),
    router.find,
    createCors(credentials.corsRules(config.CORS_ALLOWED_ORIGINS)),
    router.mount(API_PREFIX, apiRoutes, settings.withSessions(pipeline)),
    router.mount(API_PREFIX, verification.routes, verification.before),
    router.mount(API_PREFIX, operator.routes, operator.before),
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

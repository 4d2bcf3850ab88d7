import Koa, { type Middleware } from 'koa';
import compose from 'koa-compose';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { DataSource } from 'typeorm';

import { createKeyRoutes } from './api-keys/key-routes.js';
import { createKeyService } from './api-keys/key-service.js';
import { createRegistrationRoutes } from './clients/registration-routes.js';
import type { Config } from './config.js';
import { createContactRoutes } from './contacts/contact-routes.js';
import { createActivityRecorder, type ActivityRecorder } from './credentials/activity.js';
import { createGuard, guardLateBody, type Access, type GuardedState } from './credentials/guard.js';
import type { Keyring } from './credentials/keyring.js';
import type { Family } from './credentials/kinds.js';
import type { Lookup } from './credentials/lookup.js';
import { createPresentations } from './credentials/presentation.js';
import { createSecretFormat } from './credentials/secret-format.js';
import { createVerifier } from './credentials/verifier.js';
import { createProtectedResourceRoutes, METADATA_PATHS } from './discovery/protected-resource.js';
import { createErrorPageRoutes, ERROR_PAGE_PATH, type DocsViews } from './docs/error-page.js';
import { readBody } from './http/body.js';
import { createClientAddress } from './http/client-address.js';
import type { RequestState } from './http/context.js';
import { createCors } from './http/cors.js';
import { createHealthRoutes } from './http/health.js';
import { createIdempotency } from './http/idempotency.js';
import { answerOAuthErrors } from './http/oauth-error.js';
import { createPages } from './http/pages.js';
import { createPagination } from './http/pagination.js';
import { createRequests } from './http/requests.js';
import { createRoutes, type Route } from './http/routes.js';
import { createSecurityHeaders } from './http/security-headers.js';
import { createReader, createUnitOfWork } from './http/unit-of-work.js';
import { createMeRoutes } from './me/me-routes.js';
import { createScopeRoutes } from './me/scope-routes.js';
import type { OAuthViews } from './oauth/page-data.js';
import { createSpaceResolver } from './tenants/space-resolver.js';

export interface AppDependencies {
  readonly config: Config;
  readonly dataSource: DataSource;
  readonly lookup: Lookup<Family>;
  readonly keyring: Keyring;
  readonly log: Logger;
  readonly register: Registry;
  /** Whether the server has begun to stop. */
  readonly isStopping: () => boolean;
}

export interface App {
  readonly koa: Koa;
  /** What requests left to be written; flush it regularly and before the end. */
  readonly activity: ActivityRecorder;
  /** Every route of the resource API, as it was declared. */
  readonly apiRoutes: readonly Route<Access, GuardedState>[];
}

/** The whole server. Middleware runs in the order in which it is mounted here. */
export function createApp(dependencies: AppDependencies): App {
  const { config, dataSource, lookup, keyring, log, register, isStopping } = dependencies;
  const issuer = config.ISSUER;
  const format = createSecretFormat({ brand: config.TOKEN_BRAND });
  const headers = brandHeaders(config.TOKEN_BRAND);
  const clientAddress = createClientAddress(config.TRUST_PROXY);
  const presentations = createPresentations(headers.token);
  const pagination = createPagination(keyring);
  const pages = createPages<DocsViews & OAuthViews>({ brandName: config.BRAND_NAME, issuer });
  const activity = createActivityRecorder({ dataSource, keyring, log });
  const verifier = createVerifier({ lookup, format, keyring, observer: activity });
  const guard = createGuard({
    verifier,
    presentations,
    clientAddress,
    activity,
    register,
    resourceMetadataUrl: issuer + METADATA_PATHS.api,
    audiences: new Set([issuer, `${issuer}/api/v1`]),
  });
  const unitOfWork = createUnitOfWork<GuardedState>({
    dataSource,
    idempotency: createIdempotency(keyring),
    callerOf: ({ principal }) => ({
      scope: principal.tenantId,
      // A token is renewed every hour; the client that acts for the user stays the same.
      identity: [
        principal.principalId,
        principal.token?.clientId ?? principal.credentialId,
        principal.environment,
      ],
    }),
  });
  const reader = createReader(dataSource);

  const apiRoutes = [
    ...createMeRoutes(),
    ...createScopeRoutes(),
    ...createContactRoutes({ pagination, resolveSpace: createSpaceResolver(headers.space) }),
    ...createKeyRoutes({
      pagination,
      clientAddress,
      serviceOf: ({ state }) => createKeyService({ manager: state.manager, keyring, format }),
    }),
  ];
  const registrationRoutes = createRegistrationRoutes({
    ...{ dataSource, keyring, format, issuer, clientAddress },
  });
  const openRoutes = [
    ...createHealthRoutes({ dataSource, isStopping }),
    ...createProtectedResourceRoutes({ issuer, brandName: config.BRAND_NAME }),
    ...createErrorPageRoutes({ pages }),
  ];

  const koa = new Koa<RequestState>();
  koa.use(createRequests({ log, register, clientAddress, docsUrl: issuer + ERROR_PAGE_PATH }));
  koa.use(createSecurityHeaders(issuer));
  koa.use(
    createCors({
      open: new Set<string>(Object.values(METADATA_PATHS)),
      listed: {
        prefix: '/api/v1/',
        origins: new Set(config.CORS_ALLOWED_ORIGINS),
        headers: ['X-API-Key', headers.token, 'Idempotency-Key'],
      },
    }),
  );
  koa.use(
    createRoutes('/api/v1', apiRoutes, ({ method, access }): Middleware<GuardedState>[] =>
      method === 'GET'
        ? [guard(access), reader]
        : [guard(access), readBody, guardLateBody(guard(access)), unitOfWork],
    ) as Middleware<RequestState>,
  );
  koa.use(
    within(
      '/api/v1/oauth/',
      answerOAuthErrors,
      createRoutes('', registrationRoutes, () => []),
    ),
  );
  koa.use(createRoutes('', openRoutes, () => []));
  return { koa, activity, apiRoutes };
}

/** Middleware for the paths below a prefix: whatever else is mounted later runs outside of it. */
function within(prefix: string, ...chain: Middleware<RequestState>[]): Middleware<RequestState> {
  const composed = compose(chain);
  return (ctx, next) => (ctx.path.startsWith(prefix) ? composed(ctx, next) : next());
}

/** The headers that carry the product's own brand, as in `X-Bwp-Api-Token`. */
function brandHeaders(brand: string) {
  const name = brand.charAt(0).toUpperCase() + brand.slice(1);
  return { token: `X-${name}-Api-Token`, space: `X-${name}-Space` };
}

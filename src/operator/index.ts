import type { Middleware } from 'koa';
import type { DataSource } from 'typeorm';

import { guardLateBody } from '../credentials/index.js';
import { readBody } from '../http/body/body.js';
import type { Idempotency } from '../http/idempotency/idempotency.js';
import { createReader, createUnitOfWork } from '../http/idempotency/unit-of-work.js';
import { createQueryCheck } from '../http/query.js';
import { createAccountImportRoutes } from './account-import-routes.js';
import { createAccountRoutes } from './account-routes.js';
import { createAuditRoutes } from './audit-routes.js';
import { createClientRoutes } from './client-routes.js';
import { createEventRoutes } from './event-routes.js';
import { createGrantRoutes } from './grant-routes.js';
import { createKeyRoutes } from './key-routes.js';
import { createMembershipRoutes } from './membership-routes.js';
import {
  createOperatorGuard,
  type GuardDependencies,
  type OperatorContext,
  type OperatorRoute,
  type OperatorState,
} from './operator-guard.js';
import { createResourceRoutes } from './resource-routes.js';
import { createRevocationRoutes } from './revocation-routes.js';
import type { RouteDependencies } from './route-dependencies.js';
import { createSpaceRoutes } from './space-routes.js';
import { createTenantRoutes } from './tenant-routes.js';
import { createWebhookRoutes } from './webhook-routes.js';

interface Dependencies extends GuardDependencies, RouteDependencies {
  readonly dataSource: DataSource;
  readonly idempotency: Idempotency;
}

/** The operator's API: what the command line can do, for operator keys. */
export interface OperatorApi {
  readonly routes: readonly OperatorRoute[];
  /** The middleware before the handler of a route. */
  readonly before: (route: OperatorRoute) => readonly Middleware<OperatorState>[];
}

/** All operator keys share their idempotency keys, as the keys of a tenant do: a rotated key must not repeat the work. */
const IDEMPOTENCY_SCOPE = 'operator';

export function createOperatorApi(dependencies: Dependencies): OperatorApi {
  const { dataSource, idempotency, keyring } = dependencies;
  const guard = createOperatorGuard(dependencies);
  const reader = createReader(dataSource) as Middleware<OperatorState>;
  const unitOfWork = createUnitOfWork<OperatorState>({
    dataSource,
    idempotency,
    // Keyed, because bodies can hold a password, which could be guessed from an unkeyed hash of the body.
    callerOf: ({ operator: { id } }) => ({
      scope: IDEMPOTENCY_SCOPE,
      identity: [id, keyring.digest(`idempotency ${id}`).digest],
    }),
  });
  return {
    routes: [
      ...createTenantRoutes(dependencies),
      ...createSpaceRoutes(dependencies),
      ...createAccountRoutes(dependencies),
      ...createAccountImportRoutes(dependencies),
      ...createMembershipRoutes(dependencies),
      ...createClientRoutes(dependencies),
      ...createGrantRoutes(dependencies),
      ...createKeyRoutes(dependencies),
      ...createResourceRoutes(dependencies),
      ...createRevocationRoutes(),
      ...createAuditRoutes(dependencies),
      ...createEventRoutes(dependencies),
      ...createWebhookRoutes(dependencies),
    ],
    before: ({ method, access, query, handle, prepare }) => {
      // A route without a rule admits nobody.
      const guarded = access === undefined ? refuseAll : guard(access);
      const admitted = [guarded, createQueryCheck<OperatorState>(Object.keys(query?.shape ?? {}))];
      return method === 'GET'
        ? [...admitted, reader]
        : [
            ...admitted,
            readBody as Middleware<OperatorState>,
            guardLateBody(guarded),
            ...(prepare === undefined ? [] : [before(prepare)]),
            unitOfWork({ handle }),
          ];
    },
  };
}

function before(prepare: NonNullable<OperatorRoute['prepare']>): Middleware<OperatorState> {
  return async (ctx, next) => {
    await prepare(ctx as unknown as OperatorContext);
    await next();
  };
}

const refuseAll: Middleware<OperatorState> = () =>
  Promise.reject(new Error('the route declares no access'));

export type { OperatorAccess, OperatorRoute } from './operator-guard.js';

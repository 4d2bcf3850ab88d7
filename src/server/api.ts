import type { Middleware } from 'koa';
import type { DataSource } from 'typeorm';

import {
  type Credentials,
  type GuardedRoute,
  type GuardedState,
  guardLateBody,
  idempotencyCallerOf,
} from '../credentials/index.js';
import { readBody } from '../http/body/body.js';
import type { Idempotency } from '../http/idempotency/idempotency.js';
import { createReader, createUnitOfWork } from '../http/idempotency/unit-of-work.js';
import { createQueryCheck } from '../http/query.js';
import type { RateLimits } from '../rate-limits/index.js';

/** The query parameter for publishable keys. The guard validates it before the route's schema. */
const KEY_QUERY = ['auth_token'];

interface Dependencies {
  readonly dataSource: DataSource;
  readonly idempotency: Idempotency;
  readonly guard: Credentials['guard'];
  readonly limitRate: RateLimits['limit'];
}

/** Makes the middleware before a handler of the API for credentials, the guard first. */
export function createApiPipeline({
  dataSource,
  idempotency,
  guard,
  limitRate,
}: Dependencies): (route: GuardedRoute) => Middleware<GuardedState>[] {
  const reader = createReader(dataSource) as Middleware<GuardedState>;
  const unitOfWork = createUnitOfWork<GuardedState>({
    dataSource,
    idempotency,
    callerOf: ({ principal }) => idempotencyCallerOf(principal),
  });
  return (route) => {
    const guarded = guard(route.access);
    const limited = route.access === 'public' ? [guarded] : [guarded, limitRate(route)];
    const query = Object.keys(route.query?.shape ?? {});
    // A public route that changes something admits requests by address before it reads their body, and has its own
    // transaction: its callers have no idempotency keys.
    if (route.access === 'public' && route.method !== 'GET') {
      return [...limited, createQueryCheck(query)];
    }
    if (route.method === 'GET') {
      return [...limited, createQueryCheck([...query, ...KEY_QUERY]), reader];
    }
    return [
      ...limited,
      createQueryCheck(query),
      readBody as Middleware<GuardedState>,
      guardLateBody(guarded),
      unitOfWork(route),
    ];
  };
}

import type { Middleware, Next } from 'koa';
import compose from 'koa-compose';
import type { DataSource } from 'typeorm';

import {
  createSessionGuard,
  type GuardedRoute,
  type GuardedState,
  guardLateBody,
  sessionPrincipal,
  type SessionRoute,
  type SessionState,
} from '../credentials/index.js';
import { readBody } from '../http/body/body.js';
import type { Caller, Idempotency } from '../http/idempotency/idempotency.js';
import { createReader, createUnitOfWork } from '../http/idempotency/unit-of-work.js';
import { CSRF_HEADER } from '../http/pages/csrf.js';
import { createQueryCheck } from '../http/query.js';
import type { Route } from '../http/routes.js';
import type { SessionLimit } from '../rate-limits/index.js';

type Dependencies = Parameters<typeof createSessionGuard>[0] & {
  readonly dataSource: DataSource;
  readonly idempotency: Idempotency;
  readonly limitSession: SessionLimit;
};

/** Makes the middleware before a handler of the API for signed-in browsers, the guard first. */
export function createSessionPipeline(
  dependencies: Dependencies,
): (route: SessionRoute) => Middleware<SessionState>[] {
  const { dataSource, idempotency } = dependencies;
  const guard = createSessionGuard(dependencies);
  const limit = dependencies.limitSession<SessionState>(({ signedIn }) => signedIn.sessionId);
  const reader = createReader(dataSource) as Middleware<SessionState>;
  const unitOfWork = createUnitOfWork({ dataSource, idempotency, callerOf });
  return ({ method, access, query, handle }) => {
    const admitted = [guard(access), limit, createQueryCheck(Object.keys(query?.shape ?? {}))];
    return method === 'GET'
      ? [...admitted, reader]
      : [
          ...admitted,
          readBody as Middleware<SessionState>,
          guardLateBody(guard(access)),
          unitOfWork({ handle }),
        ];
  };
}

/** Makes the middleware before a handler of the API for credentials. */
export type ApiPipeline = (route: GuardedRoute) => Middleware<GuardedState>[];

type ApiState = GuardedState & SessionState;

/**
 * Lets routes for credentials that admit sessions be called by signed-in browsers. A call with a CSRF token is one of a
 * session: a credential beside it is refused. Other calls ignore the session.
 *
 * @param pipeline the middleware before a handler for credentials
 */
export function createSessionEntrance(
  dependencies: Dependencies,
  pipeline: ApiPipeline,
): ApiPipeline {
  const { dataSource, idempotency } = dependencies;
  const guard = createSessionGuard(dependencies);
  const limit = dependencies.limitSession<ApiState>(({ signedIn }) => signedIn.sessionId);
  const reader = createReader(dataSource) as Middleware<ApiState>;
  const unitOfWork = createUnitOfWork<ApiState>({ dataSource, idempotency, callerOf });

  const chainFor = ({ method, access, query, handle }: GuardedRoute): Middleware<ApiState>[] => {
    const scopes = typeof access === 'object' ? access.scopes : [];
    const guarded = compose([
      guard({ session: 'member' }, scopes),
      ({ state }: { state: ApiState }, next: Next) => {
        state.principal = sessionPrincipal(state.member, access);
        return next();
      },
    ]) as Middleware<ApiState>;
    const admitted = [guarded, limit, createQueryCheck(Object.keys(query?.shape ?? {}))];
    const unit = { handle: handle as Route<unknown, ApiState>['handle'] };
    return method === 'GET'
      ? [...admitted, reader]
      : [...admitted, readBody as Middleware<ApiState>, guardLateBody(guarded), unitOfWork(unit)];
  };

  return (route) => {
    const usual = pipeline(route);
    if (typeof route.access !== 'object' || route.access.sessions !== true) return usual;
    const forCredentials = compose(usual);
    // Its guard adds what `ApiState` has more.
    const forSessions = compose(chainFor(route)) as Middleware<GuardedState>;
    return [
      (ctx, next) =>
        ctx.get(CSRF_HEADER) === '' ? forCredentials(ctx, next) : forSessions(ctx, next),
    ];
  };
}

/** The caller for idempotency. It stays the same after another sign-in. */
function callerOf({ signedIn: { accountId }, member }: SessionState): Caller {
  return { scope: member?.tenantId ?? accountId, identity: [accountId, 'session'] };
}

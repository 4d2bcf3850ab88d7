import type { Middleware } from 'koa';
import type { DataSource } from 'typeorm';

import { guardLateBody } from '../credentials/guard/guard.js';
import {
  createSessionGuard,
  type SessionAccess,
  type SessionState,
} from '../credentials/guard/session-guard.js';
import { readBody } from '../http/body/body.js';
import type { Caller, Idempotency } from '../http/idempotency/idempotency.js';
import { createReader, createUnitOfWork } from '../http/idempotency/unit-of-work.js';
import { createQueryCheck } from '../http/query.js';
import type { Route } from '../http/routes.js';
import type { SessionLimit } from '../rate-limits/session-limit.js';

type SessionRoute = Route<SessionAccess, SessionState>;

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
    const admitted = [guard(access), limit, createQueryCheck(query ?? [])];
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

/** The caller for idempotency. It stays the same after another sign-in. */
function callerOf({ signedIn: { accountId }, member }: SessionState): Caller {
  return { scope: member?.tenantId ?? accountId, identity: [accountId, 'session'] };
}

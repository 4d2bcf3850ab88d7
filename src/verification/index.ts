import type { IncomingMessage } from 'node:http';
import type { Middleware } from 'koa';

import { guardLateBody, type Access, type GuardedState } from '../credentials/index.js';
import { readBody, readJson } from '../http/body/body.js';
import type { RequestState } from '../http/context.js';
import { sendData } from '../http/envelope.js';
import { createQueryCheck } from '../http/query.js';
import type { Route } from '../http/routes.js';
import { CALLERS, createCallerGuard, type CallerState } from './callers.js';
import {
  createForwardAuth,
  FORWARD_AUTH_PATH,
  type ForwardAuthDependencies,
} from './forward-auth.js';
import { verifyRequest } from './verify-schema.js';
import { createVerdicts } from './verdicts.js';

export { FORWARD_AUTH_PATH };

interface Dependencies extends ForwardAuthDependencies {
  readonly guard: (access: Access) => Middleware<GuardedState>;
  readonly servers: Parameters<typeof createCallerGuard>[0]['servers'];
  readonly clientAddress: (request: IncomingMessage) => string;
}

/** Verification for other services: in batches, and one by one for gateways. */
export interface Verification {
  readonly routes: readonly Route<Access, CallerState>[];
  /** The middleware before the handler of a route. */
  readonly before: () => readonly Middleware<CallerState>[];
  /** Answers every method and path below `FORWARD_AUTH_PATH`. Must be mounted before CORS. */
  readonly forwardAuth: Middleware<RequestState>;
}

export function createVerification(dependencies: Dependencies): Verification {
  const { clientAddress } = dependencies;
  const verdictOf = createVerdicts(dependencies);
  const guard = createCallerGuard(dependencies);
  return {
    before: () => [
      guard,
      createQueryCheck([]) as Middleware<CallerState>,
      readBody as Middleware<CallerState>,
      guardLateBody(guard),
    ],
    forwardAuth: createForwardAuth(dependencies),
    routes: [
      {
        method: 'POST',
        path: '/verify',
        access: CALLERS,
        async handle(ctx) {
          ctx.state.isRead = true;
          const { credentials } = readJson(ctx, verifyRequest);
          const caller = { target: ctx.state.target, address: clientAddress(ctx.req) };
          // In one turn, so that the lookups travel together.
          const verdicts = await Promise.all(credentials.map((one) => verdictOf(one, caller)));
          ctx.set('Cache-Control', 'no-store');
          sendData(ctx, { verdicts });
        },
      },
    ],
  };
}

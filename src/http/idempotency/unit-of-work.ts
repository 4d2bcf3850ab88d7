import type { Context, Middleware } from 'koa';
import type { DataSource } from 'typeorm';

import { repeatOnConflict } from '../../db/repeat.js';
import type { RequestState, RouteContext } from '../context.js';
import type { Route } from '../routes.js';
import type { Caller, Idempotency } from './idempotency.js';

/**
 * Runs a handler that changes something in one transaction. It commits before the answer is sent, so that an answered
 * change survives a crash of the server. With an `Idempotency-Key` the handler takes effect at most once. The
 * transaction is repeated after a serialization failure or deadlock.
 *
 * @param callerOf the caller to whom idempotency keys belong
 * @returns makes the middleware for a route. It runs the route's handler itself, because `next()` cannot be called
 *   twice
 */
export function createUnitOfWork<State extends RequestState>({
  dataSource,
  idempotency,
  callerOf,
}: {
  dataSource: DataSource;
  idempotency: Idempotency;
  callerOf: (state: State) => Caller;
}): (route: Pick<Route<unknown, State>, 'handle'>) => Middleware<State> {
  const end = () => Promise.resolve();
  return ({ handle }) =>
    (ctx) => {
      const resetHeaders = rememberHeaders(ctx);
      return repeatOnConflict(() => {
        resetHeaders();
        return dataSource.transaction(async (manager) => {
          ctx.state.manager = manager;
          const perform = async () => {
            await handle(ctx as RouteContext<State>, end);
          };
          const key = ctx.req.headersDistinct['idempotency-key']?.join(', ');
          if (key === undefined) return perform();
          const request = { key, body: ctx.state.rawBody };
          return idempotency.once(ctx as Context, manager, callerOf(ctx.state), request, perform);
        });
      });
    };
}

/** @returns removes the headers that were set since, such as `Location` by a transaction that was repeated */
function rememberHeaders({ res }: Pick<Context, 'res'>): () => void {
  const earlier = new Set(res.getHeaderNames());
  return () => {
    for (const name of res.getHeaderNames()) if (!earlier.has(name)) res.removeHeader(name);
  };
}

/** Gives read-only handlers a manager outside of any transaction. */
export function createReader(dataSource: DataSource): Middleware<RequestState> {
  return (ctx, next) => {
    ctx.state.manager = dataSource.manager;
    return next();
  };
}

import type { RouterContext, RouterMiddleware } from '@koa/router';
import type { Context, Middleware } from 'koa';
import type { DataSource } from 'typeorm';

import { repeatOnConflict } from '../db/repeat.js';
import type { RequestState } from './context.js';
import type { Caller, Idempotency } from './idempotency.js';

/**
 * Runs a handler that changes something in one transaction, which commits before the answer
 * leaves: an answer that says it was done is true, also if the server dies right after. With an
 * `Idempotency-Key` it runs at most once. A transaction that the database undid because another one
 * got in its way is repeated.
 *
 * @param callerOf who asks, as far as remembered answers care
 * @returns makes the middleware for a route. It runs the route's handler itself: a chain of
 *   middleware could not be continued twice
 */
export function createUnitOfWork<State extends RequestState>({
  dataSource,
  idempotency,
  callerOf,
}: {
  dataSource: DataSource;
  idempotency: Idempotency;
  callerOf: (state: State) => Caller;
}): (route: { readonly handle: RouterMiddleware<State> }) => Middleware<State> {
  const end = () => Promise.resolve();
  return ({ handle }) =>
    (ctx) => {
      const takeBackHeaders = rememberHeaders(ctx);
      return repeatOnConflict(() => {
        takeBackHeaders();
        return dataSource.transaction(async (manager) => {
          ctx.state.manager = manager;
          const perform = async () => {
            await handle(ctx as unknown as RouterContext<State>, end);
          };
          const key = ctx.req.headersDistinct['idempotency-key']?.join(', ');
          if (key === undefined) return perform();
          const request = { key, body: ctx.state.rawBody };
          return idempotency.once(ctx as Context, manager, callerOf(ctx.state), request, perform);
        });
      });
    };
}

/** @returns takes back the headers that were set since, such as `Location` by a try that came to nothing */
function rememberHeaders({ res }: Pick<Context, 'res'>): () => void {
  const earlier = new Set(res.getHeaderNames());
  return () => {
    for (const name of res.getHeaderNames()) if (!earlier.has(name)) res.removeHeader(name);
  };
}

/** Gives handlers that only read a manager outside of any transaction. */
export function createReader(dataSource: DataSource): Middleware<RequestState> {
  return (ctx, next) => {
    ctx.state.manager = dataSource.manager;
    return next();
  };
}

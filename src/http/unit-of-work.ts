import type { Context, Middleware } from 'koa';
import type { DataSource } from 'typeorm';

import type { RequestState } from './context.js';
import type { Caller, Idempotency } from './idempotency.js';

/**
 * Runs a handler that changes something in one transaction, which commits before the answer
 * leaves: an answer that says it was done is true, also if the server dies right after. With an
 * `Idempotency-Key` it runs at most once.
 *
 * @param callerOf who asks, as far as remembered answers care
 */
export function createUnitOfWork<State extends RequestState>({
  dataSource,
  idempotency,
  callerOf,
}: {
  dataSource: DataSource;
  idempotency: Idempotency;
  callerOf: (state: State) => Caller;
}): Middleware<State> {
  return (ctx, next) =>
    dataSource.transaction(async (manager) => {
      ctx.state.manager = manager;
      const perform = async () => {
        await next();
      };
      const key = ctx.req.headersDistinct['idempotency-key']?.join(', ');
      if (key === undefined) return perform();
      const request = { key, body: ctx.state.rawBody };
      return idempotency.once(ctx as Context, manager, callerOf(ctx.state), request, perform);
    });
}

/** Gives handlers that only read a manager outside of any transaction. */
export function createReader(dataSource: DataSource): Middleware<RequestState> {
  return (ctx, next) => {
    ctx.state.manager = dataSource.manager;
    return next();
  };
}

import compose from 'koa-compose';
import type { Middleware } from 'koa';

import type { RequestState } from './context.js';

/** Runs middleware for paths with one of these prefixes only. */
export function mountAt(
  prefixes: readonly string[],
  ...chain: Middleware<RequestState>[]
): Middleware<RequestState> {
  const composed = compose(chain);
  return (ctx, next) => {
    const { path } = ctx.request;
    return prefixes.some((prefix) => path.startsWith(prefix)) ? composed(ctx, next) : next();
  };
}

import compose from 'koa-compose';
import type { Middleware } from 'koa';

import type { RequestState } from './context.js';

/** Middleware for paths that begin like these; what is mounted later runs outside of it. */
export function mountAt(
  beginnings: readonly string[],
  ...chain: Middleware<RequestState>[]
): Middleware<RequestState> {
  const composed = compose(chain);
  return (ctx, next) =>
    beginnings.some((beginning) => ctx.path.startsWith(beginning)) ? composed(ctx, next) : next();
}

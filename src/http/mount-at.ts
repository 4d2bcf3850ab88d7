import compose from 'koa-compose';
import type { Middleware } from 'koa';

import type { RequestState } from './context.js';

/** Runs middleware for these paths and those below them only: `/settings` does not cover `/settings2`. */
export function mountAt(
  paths: readonly string[],
  ...chain: Middleware<RequestState>[]
): Middleware<RequestState> {
  const composed = compose(chain);
  const beginnings = paths.map((path) => path.replace(/\/?$/, '/'));
  return (ctx, next) => {
    const path = `${ctx.request.path}/`;
    return beginnings.some((beginning) => path.startsWith(beginning))
      ? composed(ctx, next)
      : next();
  };
}

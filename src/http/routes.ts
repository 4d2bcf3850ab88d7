import Router, { type RouterContext, type RouterMiddleware } from '@koa/router';
import type { Middleware, Next } from 'koa';
import compose from 'koa-compose';

import type { RequestState } from './context.js';
import { Problem } from './problem.js';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A route as a feature declares it. `access` is whatever the guard understands. */
export interface Route<Access, State extends RequestState = RequestState> {
  readonly method: Method;
  /** Below the prefix that the routes are mounted at, such as `/contacts/:id`. */
  readonly path: string;
  /** Who may call it. A route without it admits nobody. */
  readonly access: Access | undefined;
  readonly handle: RouterMiddleware<State>;
}

/**
 * Makes middleware of routes. Paths match to the letter: another case or a trailing slash is
 * another path, so that no limit, guard or CORS rule can be dodged by spelling. GET routes answer
 * HEAD too.
 *
 * @param before what stands before each handler, the guard first
 */
export function createRoutes<Access, State extends RequestState>(
  prefix: string,
  routes: readonly Route<Access, State>[],
  before: (route: Route<Access, State>) => readonly Middleware<State>[],
): Middleware<State> {
  const router = new Router<State>({ prefix, sensitive: true, strict: true });
  for (const route of routes) {
    const methods = route.method === 'GET' ? ['HEAD', 'GET'] : [route.method];
    // Composed once: the router would compose a list anew for each request.
    router.register(route.path, methods, compose([...before(route), route.handle]));
  }
  const dispatch = router.routes();
  return (ctx, next) =>
    dispatch(ctx as RouterContext<State>, async () => answerUnmatched(ctx, next));
}

/** The path is known but not with this method: says which ones it has (RFC 9110 §15.5.6). */
function answerUnmatched(
  ctx: Parameters<Middleware>[0] & { matched?: readonly { methods: readonly string[] }[] },
  next: Next,
): unknown {
  const allowed = new Set(ctx.matched?.flatMap(({ methods }) => methods));
  if (allowed.size === 0) return next();
  ctx.set('Allow', [...allowed, 'OPTIONS'].join(', '));
  if (ctx.method !== 'OPTIONS') {
    throw new Problem('method_not_allowed', `This path does not answer ${ctx.method}.`);
  }
  ctx.status = 204;
  return undefined;
}

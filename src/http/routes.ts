import Router, { type RouterContext, type RouterMiddleware } from '@koa/router';
import type { Context, Middleware, Next } from 'koa';
import compose from 'koa-compose';

import type { RequestState } from './context.js';
import { Problem } from './errors/problem.js';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A route as a feature declares it. The guard interprets `access`. */
export interface Route<Access, State extends RequestState = RequestState> {
  readonly method: Method;
  /** Relative to the prefix at which the routes are mounted, such as `/contacts/:id`. */
  readonly path: string;
  /** The access rule. A route without one admits nobody. */
  readonly access: Access | undefined;
  /** The query parameters that it reads; none by default. The API refuses others. */
  readonly query?: readonly string[];
  readonly handle: RouterMiddleware<State>;
}

type Composed<State> = (ctx: RouterContext<State>, next: Next) => Promise<unknown>;

/**
 * Makes the middleware that dispatches to routes. Paths match exactly: another case or a trailing slash is another
 * path, so that spelling cannot circumvent limits, guards or CORS rules. GET routes answer HEAD too.
 *
 * perf: paths without parameters are found in a table. The router, which tries each pattern, costs as much as a
 * verification, and is used for the others only.
 *
 * @param before the middleware before each handler, the guard first
 */
export function createRoutes<Access, State extends RequestState>(
  prefix: string,
  routes: readonly Route<Access, State>[],
  before: (route: Route<Access, State>) => readonly Middleware<State>[],
): Middleware<State> {
  const router = new Router<State>({ prefix, sensitive: true, strict: true });
  const table = new Map<string, Map<string, Composed<State>>>();
  for (const route of routes) {
    const path = prefix + route.path;
    // perf: composed once. The router would compose the list for each request.
    const chain: Composed<State> = compose([...before(route), route.handle]);
    const composed: Composed<State> = (ctx, next) => {
      ctx.state.route = path;
      return chain(ctx, next);
    };
    const methods = route.method === 'GET' ? ['HEAD', 'GET'] : [route.method];
    if (path.includes(':')) {
      router.register(route.path, methods, composed);
      continue;
    }
    const handlers = table.get(path) ?? new Map<string, Composed<State>>();
    for (const method of methods) handlers.set(method, composed);
    table.set(path, handlers);
  }
  const dispatch = router.routes();

  return (context, next) => {
    const ctx = context as RouterContext<State>;
    const known = table.get(ctx.path);
    const composed = known?.get(ctx.method);
    if (composed !== undefined) return composed(ctx, next);
    if (known !== undefined) return answerOtherMethod(ctx, [...known.keys()]);
    return dispatch(ctx, async () => {
      const methods = ctx.matched?.flatMap((layer) => layer.methods) ?? [];
      return methods.length > 0 ? answerOtherMethod(ctx, methods) : next();
    });
  };
}

/**
 * Answers a method that a path does not support, with its methods in `Allow` (RFC 9110 §15.5.6).
 * @throws Problem `method_not_allowed`, except for OPTIONS
 */
export function answerOtherMethod(ctx: Context, methods: readonly string[]): void {
  ctx.set('Allow', [...new Set(methods), 'OPTIONS'].join(', '));
  if (ctx.method !== 'OPTIONS') {
    throw new Problem('method_not_allowed', `This path does not answer ${ctx.method}.`);
  }
  ctx.status = 204;
}

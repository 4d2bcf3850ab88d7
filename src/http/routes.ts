import Router, { type RouterContext, type RouterMiddleware } from '@koa/router';
import type { Context, Middleware, Next } from 'koa';
import compose from 'koa-compose';

import type { RequestState } from './context.js';
import { Problem } from './problem.js';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A route as a feature declares it. `access` is whatever the guard understands. */
export interface Route<Access, State extends RequestState = RequestState> {
  readonly method: Method;
  /** Below the prefix that the routes are mounted at, such as `/contacts/:id`. */
  readonly path: string;
  /** Who may call it. A route without it admits nobody. */
  readonly access: Access | undefined;
  /** The query parameters that it reads; none if absent. The API refuses all others. */
  readonly query?: readonly string[];
  readonly handle: RouterMiddleware<State>;
}

type Composed<State> = (ctx: RouterContext<State>, next: Next) => Promise<unknown>;

/**
 * Makes middleware of routes. Paths match to the letter: another case or a trailing slash is
 * another path, so that no limit, guard or CORS rule can be dodged by spelling. GET routes answer
 * HEAD too.
 *
 * Paths without parameters are found in a table; the router, which tries pattern after pattern, is
 * asked for the others only. It costs as much as a verification does.
 *
 * @param before what stands before each handler, the guard first
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
    // Composed once: the router would compose a list for each request.
    const chain: Composed<State> = compose([...before(route), route.handle]);
    const composed: Composed<State> = (ctx, next) => {
      ctx.state.route = path;
      return chain(ctx, next);
    };
    const methods = route.method === 'GET' ? ['HEAD', 'GET'] : [route.method];
    if (path.includes(':')) router.register(route.path, methods, composed);
    else
      table.set(
        path,
        new Map([
          ...(table.get(path) ?? []),
          ...methods.map((method) => [method, composed] as const),
        ]),
      );
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
 * Answers a method that a known path does not have, and says which ones it has (RFC 9110 §15.5.6).
 * @throws Problem `method_not_allowed`, except for OPTIONS
 */
export function answerOtherMethod(ctx: Context, methods: readonly string[]): void {
  ctx.set('Allow', [...new Set(methods), 'OPTIONS'].join(', '));
  if (ctx.method !== 'OPTIONS') {
    throw new Problem('method_not_allowed', `This path does not answer ${ctx.method}.`);
  }
  ctx.status = 204;
}

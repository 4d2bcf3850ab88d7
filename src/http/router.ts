import type { Context, Middleware, Next } from 'koa';
import compose from 'koa-compose';
import { match, type MatchFunction } from 'path-to-regexp';

import type { RequestState, RouteContext } from './context.js';
import { Problem } from './errors/problem.js';
import type { Cors, PathRoutes, RouteDeclaration } from './route-declaration.js';
import type { Route } from './routes.js';

type Parameters = Record<string, string>;

type Handler<State> = (ctx: RouteContext<State>, next: Next) => Promise<unknown>;

/**
 * Finds routes by path, once for each request. Paths match exactly: another case or a trailing slash is another path, so
 * that spelling cannot circumvent limits, guards or CORS rules.
 */
export interface Router {
  /**
   * Puts the routes of the path on `ctx.state.matched`, and its parameters on `ctx.params`. It runs before all middleware
   * that depends on the route.
   */
  readonly find: Middleware<RequestState>;
  /**
   * Makes the middleware that dispatches to routes, after `find`. GET routes answer HEAD too. Other methods of their paths
   * get 405, and OPTIONS 204, with `Allow`.
   *
   * @param before the middleware before each handler, the guard first
   * @throws Error if a method of a path is declared twice, or the routes of a path contradict each other
   */
  mount<State extends RequestState, Mounted extends Route<unknown, State>>(
    prefix: string,
    routes: readonly (Mounted & Route<unknown, State>)[],
    before: (route: Mounted) => readonly Middleware<State>[],
  ): Middleware<State>;
}

/** @returns a router without routes */
export function createRouter(): Router {
  const table = createTable();
  return {
    find(context, next) {
      const ctx = context as RouteContext;
      const found = table.find(ctx.request.path);
      ctx.state.matched = found?.routes;
      if (found?.parameters !== undefined) ctx.params = found.parameters;
      return next();
    },
    mount<State extends RequestState, Mounted extends Route<unknown, State>>(
      prefix: string,
      routes: readonly (Mounted & Route<unknown, State>)[],
      before: (route: Mounted) => readonly Middleware<State>[],
    ): Middleware<State> {
      const paths = new Set<PathRoutes>();
      const handlers = new Map<RouteDeclaration, Handler<State>>();
      for (const route of routes) {
        const pattern = prefix + route.path;
        paths.add(table.add(pattern, route));
        // perf: composed once, not for each request.
        const chain: Handler<State> = compose([
          ...before(route),
          route.handle as Middleware<State>,
        ]) as Handler<State>;
        handlers.set(route, (ctx, next) => {
          ctx.state.route = pattern;
          return chain(ctx, next);
        });
      }
      return (context, next) => {
        const ctx = context as RouteContext<State>;
        const { matched } = ctx.state;
        if (matched === undefined || !paths.has(matched)) return next();
        const route = matched.byMethod.get(ctx.req.method ?? '');
        if (route === undefined) {
          return answerOtherMethod(ctx as unknown as Context, [...matched.byMethod.keys()]);
        }
        const handler = handlers.get(route);
        return handler === undefined ? next() : handler(ctx, next);
      };
    },
  };
}

interface Found {
  readonly routes: PathRoutes;
  /** Absent if the path has none. */
  readonly parameters?: Parameters;
}

interface Pattern {
  readonly routes: PathRoutes;
  /** The path up to its first parameter. */
  readonly start: string;
  readonly match: MatchFunction<Parameters>;
}

/** perf: paths without parameters are found in a map, and patterns are tried only if their beginning fits. */
function createTable() {
  const exact = new Map<string, Found>();
  const patterns = new Map<string, Pattern>();

  function open(pattern: string, { cors }: RouteDeclaration): PathRoutes {
    // The names of parameters do not distinguish paths.
    const known = exact.get(pattern) ?? patterns.get(pattern.replace(/:\w+/g, ':'));
    if (known !== undefined) return known.routes;
    const routes: PathRoutes = { pattern, byMethod: new Map(), cors: sharedRule(cors) };
    if (!pattern.includes(':')) exact.set(pattern, { routes });
    else {
      patterns.set(pattern.replace(/:\w+/g, ':'), {
        routes,
        start: pattern.slice(0, pattern.indexOf(':')),
        match: match(pattern, { sensitive: true, trailing: false, decode }),
      });
    }
    return routes;
  }

  return {
    add(pattern: string, route: RouteDeclaration): PathRoutes {
      const routes = open(pattern, route);
      if (routes.pattern !== pattern || routes.cors !== sharedRule(route.cors)) {
        throw new Error(`the routes of ${pattern} name other parameters or CORS rules`);
      }
      const byMethod = routes.byMethod as Map<string, RouteDeclaration>;
      if (byMethod.has(route.method)) throw new Error(`${route.method} ${pattern} exists twice`);
      byMethod.set(route.method, route);
      if (route.method === 'GET' && route.head !== false) byMethod.set('HEAD', route);
      return routes;
    },
    find(path: string): Found | undefined {
      const found = exact.get(path);
      if (found !== undefined) return found;
      for (const pattern of patterns.values()) {
        const result = path.startsWith(pattern.start) && pattern.match(path);
        if (result !== false) return { routes: pattern.routes, parameters: result.params };
      }
      return undefined;
    },
  };
}

const sharedRule = (cors: Cors | undefined): PathRoutes['cors'] =>
  cors === 'publishableOnly' ? 'allowedOrigins' : cors;

/** Stands for text that no parameter can hold: what cannot be decoded, and NUL, which PostgreSQL refuses. */
const UNREADABLE = '\uFFFD';

function decode(text: string): string {
  try {
    return decodeURIComponent(text).replaceAll('\0', UNREADABLE);
  } catch {
    return UNREADABLE;
  }
}

/**
 * Answers a method that a path does not support, with its methods in `Allow` (RFC 9110 §15.5.6).
 * @throws Problem `method_not_allowed`, except for OPTIONS
 */
function answerOtherMethod(ctx: Context, methods: readonly string[]): void {
  ctx.set('Allow', [...new Set(methods), 'OPTIONS'].join(', '));
  if (ctx.method !== 'OPTIONS') {
    throw new Problem('method_not_allowed', `This path does not answer ${ctx.method}.`);
  }
  ctx.status = 204;
}

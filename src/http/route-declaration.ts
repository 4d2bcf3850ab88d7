/** Below it lies the API. */
export const API_PREFIX = '/api/v1';

/**
 * The origins that may read a route's answers, in addition to `CORS_ALLOWED_ORIGINS` below the API's prefix:
 * - `anyOrigin`: all of them;
 * - `perResponse`: each answer sets them in `ctx.state.readers`, and `CORS_ALLOWED_ORIGINS` does not apply;
 * - `publishableOnly`: all of them, with a publishable key and no other credential. Derived from the scopes.
 */
export type Cors = 'anyOrigin' | 'perResponse' | 'publishableOnly';

/** The facts that a route declares about itself. Guard, CORS and limits derive from them. */
export interface RouteDeclaration<Access = unknown> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Relative to the prefix at which the routes are mounted, such as `/contacts/:id`. */
  readonly path: string;
  /** The access rule. A route without one admits nobody. */
  readonly access: Access | undefined;
  /** Other origins read nothing by default. The routes of a path share `anyOrigin` and `perResponse`. */
  readonly cors?: Cors | undefined;
  /** The query parameters that it reads; none by default. The API refuses others. */
  readonly query?: readonly string[];
}

/** The routes of one path. */
export interface PathRoutes {
  /** The whole path, with the names of its parameters. */
  readonly pattern: string;
  /** The routes by method. HEAD leads to the route of GET. */
  readonly byMethod: ReadonlyMap<string, RouteDeclaration>;
  /** The rule that all of its routes share. */
  readonly cors: 'anyOrigin' | 'perResponse' | undefined;
}

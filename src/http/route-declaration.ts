import type { z } from 'zod';

/** Below it lies the API. */
export const API_PREFIX = '/api/v1';

/**
 * The origins that may read a route's answers:
 * - `anyOrigin`: all of them;
 * - `perResponse`: those that each answer sets in `ctx.state.readers`;
 * - `allowedOrigins`: those in `CORS_ALLOWED_ORIGINS`;
 * - `publishableOnly`: those too, and all others with a publishable key and no other credential. Derived from the scopes.
 */
export type Cors = 'anyOrigin' | 'perResponse' | 'allowedOrigins' | 'publishableOnly';

/** The units of a tenant's budget that a request can cost. */
export const COST = { read: 1, change: 5, export: 20, pdf: 50, bulk: 100, import: 200 } as const;

/**
 * The answers of a route by status: the schema of a JSON body, the media types of another body, or `null` without a body.
 * Problems are the same for all routes.
 */
export type Answers = Readonly<
  Record<number, z.ZodType | { readonly mediaTypes: readonly string[] } | null>
>;

/** The facts that a route declares about itself. Guard, CORS, validation and limits derive from them. */
export interface RouteDeclaration<Access = unknown> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Relative to the prefix at which the routes are mounted, such as `/contacts/:id`. */
  readonly path: string;
  /** `false` for a GET route whose effects a HEAD request must not have. HEAD is then 405. */
  readonly head?: false;
  /** The access rule. A route without one admits nobody. */
  readonly access: Access | undefined;
  /** Other origins read nothing by default. The routes of a path share the rule; `publishableOnly` counts as `allowedOrigins`. */
  readonly cors?: Cors | undefined;
  /** One sentence for developers of clients, in the imperative and without a full stop. */
  readonly summary?: string;
  /** The schema of the query, all of whose values are strings. Without one, the API refuses every parameter. */
  readonly query?: z.ZodObject;
  /** The schema of the JSON body. */
  readonly body?: z.ZodType;
  /** The schema of a body that the handler reads itself, after checks of its own. */
  readonly ownBody?: z.ZodType;
  readonly answers?: Answers;
  readonly cost?: (typeof COST)[keyof typeof COST];
}

/** The routes of one path. */
export interface PathRoutes {
  /** The whole path, with the names of its parameters. */
  readonly pattern: string;
  /** The routes by method. HEAD leads to the route of GET, unless that refuses it. */
  readonly byMethod: ReadonlyMap<string, RouteDeclaration>;
  /** The rule that all of its routes share. */
  readonly cors: Exclude<Cors, 'publishableOnly'> | undefined;
}

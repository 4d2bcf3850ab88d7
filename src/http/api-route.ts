import { z } from 'zod';

import { readJson } from './body/body.js';
import type { RequestState, RouteContext } from './context.js';
import { Problem } from './errors/problem.js';
import type { RouteDeclaration } from './route-declaration.js';
import type { Route } from './routes.js';
import { LIMIT_ALONE, readParameters } from './query.js';
import { parseWith } from './validation.js';

/** The members that every route of the API declares. */
type Required = 'summary' | 'answers' | 'cost';

/** A route of the API. */
export type ApiRoute<Access, State extends RequestState> = Route<Access, State> &
  ApiDeclaration<Access> & {
    /** Work before the transaction, which would hold a connection meanwhile. */
    readonly prepare?: (ctx: RouteContext<State>) => Promise<void>;
  };

type ApiDeclaration<Access> = RouteDeclaration<Access> & {
  readonly [Member in Required]-?: NonNullable<RouteDeclaration[Member]>;
};

/** The validated input of a request. */
export interface Input<Query extends z.ZodType, Body extends z.ZodType> {
  readonly query: z.output<Query>;
  /** `undefined` without a schema. A body may then be `{}` only. */
  readonly body: z.output<Body>;
}

type Declared<
  Access,
  State extends RequestState,
  Query extends z.ZodObject,
  Body extends z.ZodType,
> = Omit<ApiDeclaration<Access>, 'query' | 'body'> & {
  readonly query?: Query;
  readonly body?: Body;
  handle(this: void, ctx: RouteContext<State>, input: Input<Query, Body>): unknown;
  /** Work on the body that is too slow for the transaction. Not done for a body that the handler will refuse. */
  prepareBody?(this: void, ctx: RouteContext<State>, body: z.output<Body>): Promise<void>;
};

/** Declares a route. The types of its handler's input follow from the schemas. */
export type DeclareRoute<Access, State extends RequestState> = <
  Query extends z.ZodObject = z.ZodObject<Record<never, never>>,
  Body extends z.ZodType = z.ZodUndefined,
>(
  declared: Declared<Access, State, Query, Body>,
) => ApiRoute<Access, State>;

const NO_QUERY = z.object({});
/** The body of a change that takes no members, which most clients do not send. */
const NO_BODY = z.strictObject({});

/**
 * Makes the function that declares routes behind one kind of guard. Before the handler, the query is validated, then the
 * body: inside the unit of work, so that a reused `Idempotency-Key` is reported first.
 */
export function declareRoutesFor<Access, State extends RequestState>(): DeclareRoute<
  Access,
  State
> {
  return ({ handle, prepareBody, ...declared }) => {
    const readQuery = createQueryReader(declared.query ?? NO_QUERY);
    const { body, ownBody, method } = declared;
    const isWithout = body === undefined && ownBody === undefined && method !== 'GET';
    return {
      ...declared,
      ...(prepareBody !== undefined &&
        body !== undefined && {
          prepare: async (ctx: RouteContext<State>) => {
            const parsed = parsedBody(ctx, body);
            if (parsed !== undefined) await prepareBody(ctx, parsed.value as never);
          },
        }),
      handle: (ctx) => {
        const query = readQuery(ctx.querystring) as never;
        if (isWithout) readJson(ctx, NO_BODY);
        const given = body === undefined ? undefined : readJson(ctx, body);
        return handle(ctx, { query, body: given as never });
      },
    };
  };
}

/** @returns `undefined` for a body that is not valid: the handler reports that, after a reused `Idempotency-Key` */
function parsedBody(ctx: RouteContext<RequestState>, body: z.ZodType) {
  try {
    return { value: readJson(ctx, body) };
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/**
 * perf: the output for an empty query is computed once, since most requests have none. So is that for each `limit` alone,
 * as first pages are asked for. There are few of them, since others are refused.
 */
function createQueryReader(schema: z.ZodObject): (querystring: string) => unknown {
  const empty = schema.safeParse({});
  const limits = new Map<string, unknown>();
  return (querystring) => {
    if (querystring === '' && empty.success) return empty.data;
    const known = limits.get(querystring);
    if (known !== undefined) return known;
    const output = parseWith(schema, readParameters(querystring));
    if (LIMIT_ALONE.test(querystring)) limits.set(querystring, output);
    return output;
  };
}

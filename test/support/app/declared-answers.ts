import type { Context, Middleware } from 'koa';

import { bodyOf } from '../../../src/http/answer-headers.js';
import type { RequestState } from '../../../src/http/context.js';
import { problemSchema } from '../../../src/http/errors/problem-schema.js';
import { API_PREFIX, type RouteDeclaration } from '../../../src/http/route-declaration.js';
import { FORWARD_AUTH_PATH } from '../../../src/verify-endpoints/index.js';
import { reportAnswer } from './answer-faults.js';

const SHOWN = 1000;

/**
 * Compares every answer below `/api/v1` with what its route declares. It stands outside of all other middleware. What it
 * finds fails the test that runs at the time (`test/support/jest/declared-answers.ts`).
 */
export const observeAnswers: Middleware<RequestState> = async (ctx, next) => {
  await next();
  const { matched } = ctx.state;
  const target = matched?.pattern ?? ctx.req.url ?? '';
  if (!target.startsWith(`${API_PREFIX}/`) || ctx.method === 'OPTIONS') return;
  // It answers every path below its own for gateways, in front of all routes.
  if (target.startsWith(FORWARD_AUTH_PATH)) return;
  const routes = matched?.byMethod;
  // Another method of a path is refused in the form of its routes.
  const route = routes?.get(ctx.method) ?? [...(routes?.values() ?? [])][0];
  const fault = faultOf(ctx as Context, route);
  if (fault === undefined) return;
  const answered = bodyOf(ctx as Context);
  const body = typeof answered === 'string' ? answered.slice(0, SHOWN) : String(answered);
  reportAnswer(`${ctx.method} ${target} answered ${ctx.status}: ${fault}\n${body}`);
};

function faultOf(ctx: Context, route: RouteDeclaration | undefined): string | undefined {
  const schema = schemaFor(ctx, route);
  if (schema === undefined) return undefined;
  if (schema === 'undeclared') return 'the route declares no such answer';
  if (schema === null)
    return bodyOf(ctx) ? 'the route declares an answer without a body' : undefined;
  const mediaType = mediaTypeOf(ctx);
  if ('mediaTypes' in schema) {
    return schema.mediaTypes.includes(mediaType) ? undefined : `the type is ${mediaType}`;
  }
  const body = bodyOf(ctx);
  if (typeof body !== 'string' && !isPlainObject(body)) return 'the body is not JSON';
  const type =
    schema === problemSchema ? /^application\/problem\+json$/ : /^application\/(\w[\w-]*\+)?json$/;
  if (!type.test(mediaType.split(';')[0] ?? '')) return `the type is ${mediaType}`;
  const { error } = schema.safeParse(
    JSON.parse(typeof body === 'string' ? body : JSON.stringify(body)),
  );
  return error?.message;
}

/** The media type. A text that was sent past Koa has it among the headers that were sent with it. */
function mediaTypeOf(ctx: Context): string {
  const { headers = [] } = ctx.state as RequestState;
  const own = ctx.response.get('Content-Type') as string | undefined;
  return own || (headers[headers.indexOf('Content-Type') + 1] ?? '');
}

/** Koa writes such a body as JSON. */
function isPlainObject(body: unknown): boolean {
  return (
    Object.prototype.toString.call(body) === '[object Object]' && !('pipe' in (body as object))
  );
}

/** @returns `undefined` for answers that nothing is declared about; `null` if there is no body */
function schemaFor({ status }: Context, route: RouteDeclaration | undefined) {
  // Too many header lines: refused before the route is looked up.
  if (status === 431) return null;
  if (route !== undefined && route.answers === undefined) return undefined;
  const declared = route?.answers?.[status];
  if (declared !== undefined) return declared;
  return status < 400 ? 'undeclared' : problemSchema;
}

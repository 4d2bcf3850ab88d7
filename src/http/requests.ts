import type { IncomingMessage } from 'node:http';
import type { Context, Middleware, ParameterizedContext } from 'koa';
import type { Logger } from 'pino';
import { Counter, type Registry } from 'prom-client';

import { errorMessage } from '../db/errors.js';
import { createId } from '../db/id.js';
import { isDatabaseUnavailable } from '../db/unavailable.js';
import { bodyOf, sendAnswer } from './answer-headers.js';
import type { RequestState } from './context.js';
import { Problem, serviceUnavailable } from './errors/problem.js';
import { createHistogram, type HistogramSeries } from './histogram.js';
import { referenceOf } from './request-facts.js';

interface Dependencies {
  readonly log: Logger;
  readonly register: Registry;
  readonly clientAddress: (request: Context['req']) => string;
  /** The page that explains the problem codes. */
  readonly docsUrl: string;
  /** Headers of every answer that does not set them itself, names and values in turn. */
  readonly fixedHeaders?: readonly string[];
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

/**
 * The outermost middleware: gives each request its id, turns thrown errors into problems, and logs and counts the
 * answer. Query strings and headers are not logged, since they can hold credentials. The ids of a valid `traceparent`
 * are logged.
 */
export function createRequests({
  log,
  register,
  clientAddress,
  docsUrl,
  fixedHeaders = [],
}: Dependencies): Middleware<RequestState> {
  const count = createRequestMetrics(register);
  const countRefusal = createRefusalCounter(register);
  const logRequest = createRequestLog({ log, clientAddress });
  return async (ctx, next) => {
    const started = performance.now();
    const requestId = createId('req');
    ctx.state.requestId = requestId;
    ctx.state.headers = ['X-Request-Id', requestId, ...fixedHeaders];
    let failure: Problem | undefined;
    try {
      assertReadable(ctx);
      await next();
      if (ctx.res.statusCode === 404 && bodyOf(ctx) === undefined) {
        throw new Problem('not_found', 'No resource has this path.');
      }
    } catch (error) {
      ctx.state.text = undefined;
      if (error instanceof TooManyHeaders) refuseHeaders(ctx);
      else {
        failure = toProblem(error);
        ctx.set(failure.headers);
        ctx.status = failure.status;
        ctx.type = 'application/problem+json';
        ctx.body = JSON.stringify(failure.toBody(docsUrl, requestId));
      }
    }
    const { statusCode: status } = ctx.res;
    const seconds = (performance.now() - started) / 1000;
    // The pattern of the route, because paths would make the metrics grow without bound.
    const route = ctx.state.route ?? 'unmatched';
    count(ctx.req.method ?? '', route, status, seconds);
    const code = failure?.code ?? ctx.state.refusal?.code;
    if (code !== undefined) countRefusal(code);
    logRequest(ctx, { route, seconds, code, failure });
    sendAnswer(ctx);
  };
}

/** Makes the function that writes the line of a request. */
function createRequestLog({ log, clientAddress }: Pick<Dependencies, 'log' | 'clientAddress'>) {
  return (
    ctx: ParameterizedContext<RequestState>,
    { route, seconds, code, failure }: AnsweredRequest,
  ): void => {
    const { statusCode: status } = ctx.res;
    const level = levelOf(ctx, status);
    if (!log.isLevelEnabled(level)) return;
    const cause = failure?.cause ?? ctx.state.failure;
    log[level](
      {
        ...referenceOf(ctx),
        method: ctx.method,
        // Never an unmatched path, which may hold a secret.
        route,
        status,
        code,
        reason: ctx.state.refusal?.reason,
        ...ctx.state.facts,
        ms: Math.round(seconds * 1e4) / 10,
        address: clientAddress(ctx.req),
        // Without a stack, because every request fails alike while the database is unavailable.
        ...(status === 503 && { cause: errorMessage(cause) }),
        ...(status === 500 && { err: cause }),
      },
      'request',
    );
  };
}

interface AnsweredRequest {
  readonly route: string;
  readonly seconds: number;
  readonly code: string | undefined;
  readonly failure: Problem | undefined;
}

/** Requests with more header lines are refused before any of them is read. */
const MAX_HEADER_LINES = 200;

/** Answered 431 without a body (RFC 6585 §5), as Node answers headers that are too large. */
class TooManyHeaders extends Error {}

/**
 * @throws Problem if the request has several Host lines (RFC 9112 §3.2), or a target without a valid path, such as
 *   `http://[`
 * @throws TooManyHeaders
 */
function assertReadable(ctx: { readonly path: string; readonly req: IncomingMessage }): void {
  const { rawHeaders } = ctx.req;
  if (rawHeaders.length > 2 * MAX_HEADER_LINES) throw new TooManyHeaders();
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  if (hosts > 1) throw new Problem('bad_request', 'The request names more than one host.');
  try {
    void ctx.path;
  } catch (cause) {
    throw new Problem('bad_request', 'The target of the request cannot be read.', { cause });
  }
}

function refuseHeaders(ctx: Pick<Context, 'set' | 'status' | 'body'>): void {
  ctx.set('Connection', 'close');
  ctx.status = 431;
  ctx.body = '';
}

function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (isDatabaseUnavailable(error)) return serviceUnavailable(error);
  return new Problem('internal_error', 'Something went wrong on our side.', { cause: error });
}

function levelOf(
  { req: { method }, state }: ParameterizedContext<RequestState>,
  status: number,
): 'error' | 'warn' | 'info' | 'debug' {
  if (status === 503) return 'warn';
  if (status >= 500) return 'error';
  const isPlainRead = (method === 'GET' || method === 'HEAD' || state.isRead) && status < 400;
  return isPlainRead ? 'debug' : 'info';
}

type CountRequest = (method: string, route: string, status: number, seconds: number) => void;

function createRequestMetrics(register: Registry): CountRequest {
  const durationsOf = createHistogram({
    name: 'gatehouse_http_request_duration_seconds',
    help: 'Requests answered, and the time from their arrival to the answer.',
    buckets: SECONDS,
    register,
  });
  // perf: resolving labels costs more than observing, and there are few combinations.
  const series = new Map<string, Map<string, HistogramSeries[]>>();
  return (method, route, status, seconds) => {
    const known = METHODS.has(method) ? method : 'other';
    const ofMethod = series.get(known) ?? new Map<string, HistogramSeries[]>();
    series.set(known, ofMethod);
    const ofRoute = ofMethod.get(route) ?? [];
    ofMethod.set(route, ofRoute);
    const observer =
      ofRoute[status] ?? durationsOf({ method: known, route, status: String(status) });
    ofRoute[status] = observer;
    observer.observe(seconds);
  };
}

/** More codes than there are; the last defence against a label that grows without bound. */
const MAX_CODES = 100;

function createRefusalCounter(register: Registry): (code: string) => void {
  const refusals = new Counter({
    name: 'gatehouse_refusals_total',
    help: 'Requests that were refused or failed, by error code.',
    labelNames: ['code'] as const,
    registers: [register],
  });
  const codes = new Set<string>();
  return (code) => {
    if (codes.size < MAX_CODES && /^[a-z_]{1,40}$/.test(code)) codes.add(code);
    refusals.inc({ code: codes.has(code) ? code : 'other' });
  };
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

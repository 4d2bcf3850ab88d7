import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

import { errorCode, errorMessage } from '../../db/errors.js';
import { type FieldError, Problem, type ProblemCode, PROBLEMS } from '../../http/errors/problem.js';
import { API_PREFIX } from '../../http/route-declaration.js';
import type { Connection } from './connection.js';

type Query = Readonly<Record<string, string | number | undefined>>;

/** A page of a list. */
export interface RemotePage<Item> {
  readonly items: readonly Item[];
  /** `undefined` at the end of the list. */
  readonly next: string | undefined;
}

/** Calls the operator's API of a running server. Every function throws the Problem that the server answers. */
export interface OperatorClient {
  /** @param path below `/operator` @returns `data` of the answer */
  get<Data>(path: string, query?: Query): Promise<Data>;
  /** @param after the cursor of the page before */
  page<Item>(
    path: string,
    query: Query,
    page: { readonly limit: number; readonly after: unknown },
  ): Promise<RemotePage<Item>>;
  /**
   * Changes something. A call whose answer was lost is repeated with the same `Idempotency-Key`, so it happens once.
   * @returns `data` of the answer, `undefined` without a body
   */
  send<Data = undefined>(
    method: 'POST' | 'PATCH' | 'DELETE',
    path: string,
    body?: object,
  ): Promise<Data>;
  /** The server's time that many seconds from now. */
  timeIn(seconds: number): Promise<string>;
}

/** The most items of a page of the API. */
const MAX_PAGE = 100;
const PATIENCE_MS = 60_000;
/** Pauses before another try of a call whose answer was lost. */
const RETRY_AFTER_MS = [500, 2000];
/** Nobody answers at the address: another try would fail too. */
const NEVER_SENT = ['ECONNREFUSED', 'ENOTFOUND'];
const MAX_RETRY_AFTER_SECONDS = 10;

/**
 * Does not pass the module for outgoing requests (`outbound/`): that one keeps addresses that strangers choose away from
 * the internal network, whereas this address is the operator's own, and often internal.
 */
export function createOperatorClient({ origin, key }: Connection): OperatorClient {
  const call = createCall(origin, key);
  return {
    async get<Data>(path: string, query: Query = {}) {
      const { body } = await call('GET', `${path}${written(query)}`);
      return body.data as Data;
    },
    async page<Item>(
      path: string,
      query: Query,
      { limit, after }: { limit: number; after: unknown },
    ) {
      const cursor = typeof after === 'string' ? after : undefined;
      const asked = { ...query, limit: Math.min(limit, MAX_PAGE), cursor };
      const { body } = await call('GET', `${path}${written(asked)}`);
      const { cursor: next, has_more: hasMore } = body.meta?.pagination ?? {};
      // A feed has a cursor at its end too.
      return {
        items: body.data as readonly Item[],
        next: hasMore === true ? (next ?? undefined) : undefined,
      };
    },
    async send<Data>(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: object) {
      return (await call(method, path, body)).body.data as Data;
    },
    async timeIn(seconds) {
      const { date } = await call('GET', '/audit-log?limit=1').catch(withDate);
      return new Date(date.getTime() + seconds * 1000).toISOString();
    },
  };
}

interface Body {
  readonly data?: unknown;
  readonly meta?: {
    readonly pagination?: { readonly cursor: string | null; readonly has_more: boolean };
  };
}

interface Answered {
  readonly body: Body;
  readonly date: Date;
}

/** A refusal with the time of the answer. */
class Refusal extends Problem {
  date = new Date();
}

/** The time of an answer, also of one that refuses: any key may learn it. */
function withDate(error: unknown): Answered {
  if (error instanceof Refusal && error.status < 500) return { body: {}, date: error.date };
  throw error;
}

function createCall(origin: string, key: string) {
  async function once(
    method: string,
    path: string,
    headers: Record<string, string>,
    text?: string,
  ) {
    let answer: Response;
    try {
      answer = await fetch(`${origin}${API_PREFIX}/operator${path}`, {
        method,
        headers,
        ...(text !== undefined && { body: text }),
        // The key is for this origin only.
        redirect: 'manual',
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      return { answer, text: await answer.text() };
    } catch (error) {
      const reason = reasonOf(error);
      const message = `The server at ${origin} cannot be reached: ${reason}.`;
      throw NEVER_SENT.includes(reason)
        ? new Problem('service_unavailable', message)
        : new Lost(message);
    }
  }

  return async (method: string, path: string, body?: object): Promise<Answered> => {
    const isChange = method !== 'GET';
    const text = isChange ? JSON.stringify(body ?? {}) : undefined;
    const headers = {
      Authorization: `Bearer ${key}`,
      Accept: 'application/json',
      ...(isChange && { 'Content-Type': 'application/json', 'Idempotency-Key': randomUUID() }),
    };
    for (let attempt = 0; ; attempt += 1) {
      const wait = RETRY_AFTER_MS[attempt];
      try {
        const { answer, text: given } = await once(method, path, headers, text);
        if (answer.ok) return readAnswer(origin, answer, given);
        const refusal = readRefusal(origin, answer, given);
        if (wait === undefined || !isTemporary(answer)) throw refusal;
        await pause(Math.max(wait, secondsOf(answer) * 1000));
      } catch (error) {
        if (!(error instanceof Lost)) throw error;
        if (wait === undefined) throw new Problem('service_unavailable', error.message);
        await pause(wait);
      }
    }
  };
}

/** No answer, or not the whole of one. */
class Lost extends Error {}

/** Whether the same call can succeed soon: the server is restarting, or still at work on this very call. */
function isTemporary({ status, headers }: Response): boolean {
  const seconds = Number(headers.get('retry-after') ?? 0);
  if (seconds > MAX_RETRY_AFTER_SECONDS) return false;
  return [502, 503, 504].includes(status) || (status === 409 && headers.has('retry-after'));
}

function secondsOf({ headers }: Response): number {
  const seconds = Number(headers.get('retry-after') ?? 0);
  return Number.isFinite(seconds) ? seconds : 0;
}

function readAnswer(origin: string, { status, headers }: Response, text: string): Answered {
  const date = dateOf(headers);
  if (status === 204) return { body: {}, date };
  const body = parse(text) as (Body & { readonly meta?: object }) | undefined;
  if (body?.meta === undefined || !('data' in body)) throw notGatehouse(origin);
  return { body, date };
}

function dateOf(headers: Headers): Date {
  const date = new Date(headers.get('date') ?? '');
  return Number.isNaN(date.getTime()) ? new Date() : date;
}

interface ProblemBody {
  readonly code?: string;
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
}

function readRefusal(origin: string, answer: Response, text: string): Problem {
  const { code = '', detail = '', errors } = (parse(text) ?? {}) as ProblemBody;
  if (!Object.hasOwn(PROBLEMS, code)) {
    return answer.status >= 500
      ? new Problem('service_unavailable', `The server at ${origin} answered ${answer.status}.`)
      : notGatehouse(origin);
  }
  const refusal = new Refusal(code as ProblemCode, messageOf(origin, answer, code, detail), {
    ...(errors !== undefined && { errors }),
  });
  refusal.date = dateOf(answer.headers);
  return refusal;
}

function messageOf(origin: string, answer: Response, code: string, detail: string): string {
  if (answer.status === 401) return `${origin} does not accept GATEHOUSE_OPERATOR_KEY. ${detail}`;
  if (code === 'rate_limited') return `${detail} Try again in ${secondsOf(answer)} seconds.`;
  const isUnknownPath = code === 'method_not_allowed' || detail === 'No resource has this path.';
  if (!isUnknownPath) return detail;
  return `The server at ${origin} does not know this call: its release differs from this one.`;
}

function notGatehouse(origin: string): Problem {
  return new Problem('bad_request', `The server at ${origin} does not answer as Gatehouse does.`);
}

function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The cause of a failed request, such as `ECONNREFUSED`, without headers. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'it did not answer in time';
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return errorCode(cause) ?? errorMessage(cause);
}

function written(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  return parameters.size === 0 ? '' : `?${parameters.toString()}`;
}

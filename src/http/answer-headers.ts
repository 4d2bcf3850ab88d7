import type { ServerResponse } from 'node:http';

import type { RequestState } from './context.js';

interface Answering {
  readonly res: ServerResponse;
  readonly state: Pick<RequestState, 'headers' | 'text'>;
  status: number;
  body: unknown;
  respond?: boolean | undefined;
}

/** perf: the full content type, since Koa would look up a short one for each answer. */
export const JSON_TYPE = 'application/json; charset=utf-8';

/** An answer as those who give it see it. */
export interface Answer {
  readonly res: Pick<ServerResponse, 'setHeader' | 'statusCode'>;
  readonly state: Pick<RequestState, 'headers' | 'text'>;
  body?: unknown;
}

/**
 * Adds a header to the answer, unless the answer sets it itself.
 * perf: cheaper than `setHeader`, if the answer is a text (decision 22).
 */
export function addHeader(
  { res, state }: Pick<Answer, 'res' | 'state'>,
  name: string,
  value: string,
) {
  if (state.headers === undefined) res.setHeader(name, value);
  else state.headers.push(name, value);
}

/**
 * Gives the answer a text, to be sent behind all middleware. For answers of which nothing is stored: nothing further out
 * sees a body.
 */
export function answerText(ctx: Answer, type: string, text: string, status = 200): void {
  // perf: without Koa's checks. `sendAnswer` tells Koa if it is to send the answer.
  ctx.res.statusCode = status;
  addHeader(ctx, 'Content-Type', type);
  if (ctx.state.headers === undefined) ctx.body = text;
  else ctx.state.text = text;
}

/** Answers 200 with a JSON text, as `answerText` does. */
export function answerJson(ctx: Answer, text: string): void {
  answerText(ctx, JSON_TYPE, text);
}

/** The body of an answer, whichever way it was given. */
export function bodyOf({ body, state }: Pick<Answering, 'body' | 'state'>): unknown {
  return state.text ?? body;
}

/**
 * Sends a text with the headers in one call, past Koa. If the answer set headers itself, such as those of CORS, Koa sends
 * it with all of them.
 */
export function sendAnswer(ctx: Answering): void {
  const { res, state } = ctx;
  const { headers = [], text } = state;
  if (text !== undefined && !res.headersSent && res.getHeaderNames().length === 0) {
    const length = Buffer.byteLength(text);
    headers.push('Content-Length', String(length));
    ctx.respond = false;
    res.writeHead(res.statusCode, headers);
    const isAscii = length === text.length;
    if (isAscii && length <= MAX_ONE_WRITE && res.req.method !== 'HEAD') endWithHeaders(res, text);
    // ASCII is the same in Latin-1, which is copied without being converted.
    else res.end(text, isAscii ? 'latin1' : 'utf8');
    return;
  }
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? '';
    if (!res.hasHeader(name)) res.setHeader(name, headers[index + 1] ?? '');
  }
  if (text === undefined) return;
  ctx.status = res.statusCode;
  ctx.body = text;
}

/** Joining a longer text to the headers costs more than it saves. */
const MAX_ONE_WRITE = 8000;

/**
 * Sends the written headers and a body of ASCII by one write. `end(text)` makes two chunks, the second of them empty, and a
 * write of both costs 2 µs more (perf: decision 22). The property is not documented; without it the body is sent as usual.
 */
function endWithHeaders(res: ServerResponse & { _header?: unknown }, text: string): void {
  if (typeof res._header !== 'string') return void res.end(text, 'latin1');
  res._header += text;
  res.end();
}

import type { Context } from 'koa';
import getRawBody from 'raw-body';
import type { z } from 'zod';

import type { RequestMiddleware, RequestState } from './context.js';
import { Problem } from './problem.js';
import { parseWith } from './validation.js';

const MAX_BODY = 256 * 1024;

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads the body, up to 256 KiB, into `state.rawBody`. Mounted behind the guard, so that nobody
 * without a credential makes the server read one.
 *
 * @throws Problem `payload_too_large`, `unsupported_media_type` for anything but plain JSON, or
 *   `bad_request` when the client stopped half-way
 */
export const readBody: RequestMiddleware = async (ctx, next) => {
  ctx.state.isBodyLate = hasBody(ctx) && !ctx.req.complete;
  ctx.state.rawBody = await readRawJson(ctx, MAX_BODY);
  await next();
};

/**
 * Reads a body of plain JSON as it is.
 *
 * @param limit in bytes
 * @returns the bytes; none if there is no body
 * @throws Problem as `readBody` does
 */
export async function readRawJson(ctx: Context, limit: number): Promise<Buffer> {
  if (!hasBody(ctx)) return Buffer.alloc(0);
  if (!isPlainJson(ctx.get('Content-Type'), ctx.get('Content-Encoding'))) {
    throw new Problem('unsupported_media_type', 'Send the body as application/json, uncompressed.');
  }
  const length = ctx.get('Content-Length') || null;
  return getRawBody(ctx.req, { limit, length }).catch((error: unknown) => {
    throw toProblem(error, limit);
  });
}

function hasBody(ctx: Pick<Context, 'get'>): boolean {
  return ctx.get('Transfer-Encoding') !== '' || Number(ctx.get('Content-Length')) > 0;
}

/**
 * The JSON body as the schema makes it. An absent body is read as `{}`, so that routes whose
 * members are all optional need none.
 *
 * @throws Problem `bad_request` for what isn't JSON, `validation_failed` for what doesn't fit
 */
export function readJson<Schema extends z.ZodType>(
  ctx: { state: Pick<RequestState, 'rawBody'> },
  schema: Schema,
): z.output<Schema> {
  return parseWith(schema, parseJson(ctx.state.rawBody));
}

/**
 * The value that a body holds; an empty body is read as `{}`.
 * @throws Problem `bad_request` for what isn't JSON
 */
export function parseJson(raw: Buffer): unknown {
  if (raw.length === 0) return {};
  try {
    return JSON.parse(decoder.decode(raw));
  } catch (cause) {
    throw new Problem('bad_request', 'The body is not valid JSON in UTF-8.', { cause });
  }
}

function isPlainJson(type: string, encoding: string): boolean {
  const [essence = '', ...parameters] = type
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  return (
    (essence === 'application/json' || /^application\/[\w.-]+\+json$/.test(essence)) &&
    (charset === undefined || /^charset="?utf-8"?$/.test(charset)) &&
    (encoding === '' || encoding.toLowerCase() === 'identity')
  );
}

function toProblem(error: unknown, limit: number): Problem {
  const type = error instanceof Error && 'type' in error ? error.type : undefined;
  return type === 'entity.too.large'
    ? new Problem('payload_too_large', `The body may have ${limit / 1024} KiB at most.`, {
        // What is still on its way is not worth reading.
        headers: { Connection: 'close' },
        cause: error,
      })
    : new Problem('bad_request', 'The body ended before it was complete.', { cause: error });
}

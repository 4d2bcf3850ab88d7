import type { Context } from 'koa';
import getRawBody from 'raw-body';
import type { z } from 'zod';

import type { RequestMiddleware, RequestState } from '../context.js';
import { Problem } from '../errors/problem.js';
import { isUncompressed } from './encoding.js';
import { parseWith } from '../validation.js';

const MAX_BODY = 256 * 1024;

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads the body, up to 256 KiB, into `state.rawBody`. It is mounted behind the guard, so that the server reads no
 * bodies of requests without a valid credential.
 *
 * @throws Problem `payload_too_large`, `unsupported_media_type` unless it is uncompressed JSON, or `bad_request` if
 *   the body is incomplete
 */
export const readBody: RequestMiddleware = async (ctx, next) => {
  ctx.state.isBodyLate = hasBody(ctx) && !ctx.req.complete;
  ctx.state.rawBody = await readRawJson(ctx, MAX_BODY);
  await next();
};

/**
 * Reads the bytes of an uncompressed JSON body without parsing them.
 *
 * @param limit in bytes
 * @returns the bytes; empty if there is no body
 * @throws Problem as `readBody` does
 */
export async function readRawJson(ctx: Context, limit: number): Promise<Buffer> {
  if (!hasBody(ctx)) return Buffer.alloc(0);
  if (!isPlainJson(ctx.get('Content-Type')) || !isUncompressed(ctx)) {
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
 * Parses the JSON body by a schema. An absent body is read as `{}`, for routes whose members are all optional.
 *
 * @throws Problem `bad_request` if it is not JSON, `validation_failed` if it does not match the schema
 */
export function readJson<Schema extends z.ZodType>(
  ctx: { state: Pick<RequestState, 'rawBody'> },
  schema: Schema,
): z.output<Schema> {
  return parseWith(schema, parseJson(ctx.state.rawBody));
}

/**
 * Parses a JSON body. An empty body is read as `{}`.
 * @throws Problem `bad_request` if it is not JSON
 */
export function parseJson(raw: Buffer): unknown {
  if (raw.length === 0) return {};
  try {
    return JSON.parse(decoder.decode(raw));
  } catch (cause) {
    throw new Problem('bad_request', 'The body is not valid JSON in UTF-8.', { cause });
  }
}

function isPlainJson(type: string): boolean {
  const [essence = '', ...parameters] = type
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  return (
    (essence === 'application/json' || /^application\/[\w.-]+\+json$/.test(essence)) &&
    (charset === undefined || /^charset="?utf-8"?$/.test(charset))
  );
}

function toProblem(error: unknown, limit: number): Problem {
  const type = error instanceof Error && 'type' in error ? error.type : undefined;
  return type === 'entity.too.large'
    ? new Problem('payload_too_large', `The body may have ${limit / 1024} KiB at most.`, {
        // The rest of the body is not read.
        headers: { Connection: 'close' },
        cause: error,
      })
    : new Problem('bad_request', 'The body ended before it was complete.', { cause: error });
}

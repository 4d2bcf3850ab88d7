import type { Context } from 'koa';
import getRawBody from 'raw-body';

import { Problem } from '../errors/problem.js';
import { isUncompressed } from './encoding.js';

const MAX_FORM = 64 * 1024;

/** The fields of a form, each of which may occur several times. */
export type Form = URLSearchParams;

/**
 * Reads an uncompressed `application/x-www-form-urlencoded` body, up to 64 KiB.
 *
 * @throws Problem `unsupported_media_type`, `payload_too_large`, `bad_request`
 */
export async function readForm(ctx: Context): Promise<Form> {
  return parseForm(await readRawForm(ctx));
}

/** Parses the fields of a form. */
export function parseForm(raw: Buffer): Form {
  return new URLSearchParams(raw.toString('utf8'));
}

/**
 * Reads the bytes of a form without parsing them.
 *
 * @throws Problem as `readForm` does
 */
export async function readRawForm(ctx: Context): Promise<Buffer> {
  if (!ctx.is('application/x-www-form-urlencoded')) {
    throw new Problem('unsupported_media_type', 'Send the body as a URL-encoded form.');
  }
  if (!isUncompressed(ctx)) {
    throw new Problem('unsupported_media_type', 'Send the form uncompressed.');
  }
  try {
    return await getRawBody(ctx.req, { limit: MAX_FORM });
  } catch (cause) {
    const type = cause instanceof Error && 'type' in cause ? cause.type : undefined;
    throw type === 'entity.too.large'
      ? new Problem('payload_too_large', 'The form is too large.', {
          headers: { Connection: 'close' },
          cause,
        })
      : new Problem('bad_request', 'The form ended before it was complete.', { cause });
  }
}

/**
 * Refuses repeated parameters (RFC 6749 §3.2), because implementations differ in which occurrence they use.
 * @throws Problem `bad_request`
 */
export function refuseRepeated(form: Form): void {
  const names = [...form.keys()];
  if (new Set(names).size < names.length) {
    throw new Problem('bad_request', 'A parameter is given more than once.');
  }
}

/**
 * Reads a parameter that may occur once at most (RFC 6749 §3.2).
 * @returns `undefined` if it is absent or empty, which RFC 6749 treats alike
 * @throws Problem `bad_request` if it was repeated
 */
export function singleValue(form: Form, name: string): string | undefined {
  const values = form.getAll(name);
  if (values.length > 1) throw new Problem('bad_request', `${name} is given more than once.`);
  return values[0] === '' ? undefined : values[0];
}

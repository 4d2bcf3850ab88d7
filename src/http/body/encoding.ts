import type { Context } from 'koa';

/** Whether the body of a request declares no encoding, or the identity (RFC 9110 §8.4). Nothing here decompresses. */
export function isUncompressed(ctx: Pick<Context, 'get'>): boolean {
  const encoding = ctx.get('Content-Encoding').toLowerCase();
  return encoding === '' || encoding === 'identity';
}

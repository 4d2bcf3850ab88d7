import { randomFillSync } from 'node:crypto';
import { ulid } from 'ulid';

const POOL_BYTES = 4096;

/**
 * Makes the function that creates identifiers: a prefix, `_` and a ULID, which sorts by time of creation.
 * perf: random bytes are drawn in bulk, since an identifier is created for every request.
 */
function createIdFactory(): (prefix: string) => string {
  const pool = Buffer.alloc(POOL_BYTES);
  let next = pool.length;
  const random = () => {
    if (next === pool.length) {
      randomFillSync(pool);
      next = 0;
    }
    return pool.readUInt8(next++) / 256;
  };
  return (prefix) => `${prefix}_${ulid(undefined, random)}`;
}

/** A new identifier such as `key_01M7XDXM196WXM1ABP0DNE71TS`. */
export const createId = createIdFactory();

/** Sorts behind every identifier (`COLLATE "C"`). A list in descending order begins before it. */
export const BEHIND_ALL_IDS = '~';

/** Whether a text has the form of an identifier with this prefix. */
export function isId(prefix: string, text: string): boolean {
  return (
    text.startsWith(`${prefix}_`) && /^[0-9A-HJKMNP-TV-Z]{26}$/.test(text.slice(prefix.length + 1))
  );
}

import { randomFillSync } from 'node:crypto';
import { encodeTime } from 'ulid';

const POOL_BYTES = 4096;
/** The digits of a ULID: Crockford's base 32. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_LENGTH = 10;
const RANDOM_LENGTH = 16;

/**
 * Makes the function that creates identifiers: a prefix, `_` and a ULID, which sorts by time of creation.
 * perf: an identifier is created for every request. Random bytes are drawn in bulk, and the time is written once for each
 * millisecond.
 */
function createIdFactory(): (prefix: string) => string {
  const pool = Buffer.alloc(POOL_BYTES);
  let next = pool.length;
  let writtenAt = 0;
  let time = '';
  return (prefix) => {
    const now = Date.now();
    if (now !== writtenAt) {
      writtenAt = now;
      time = encodeTime(now, TIME_LENGTH);
    }
    if (next === pool.length) {
      randomFillSync(pool);
      next = 0;
    }
    let random = '';
    for (const end = next + RANDOM_LENGTH; next < end; next += 1) {
      random += DIGITS[(pool[next] ?? 0) % DIGITS.length];
    }
    return `${prefix}_${time}${random}`;
  };
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

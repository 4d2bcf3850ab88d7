import { createHmac, hash } from 'node:crypto';

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
/** Longer texts use `createHmac`. */
const MAX_TEXT_BYTES = 512;

/**
 * Makes the function that computes HMAC-SHA-256 (RFC 2104) under one key, as 64 hexadecimal digits.
 *
 * perf: every verification computes it. Two one-shot hashes avoid the native object that `createHmac` allocates for
 * every call, which costs twice as much, plus garbage collection.
 *
 * @param key at most 64 bytes
 */
export function createHmacSha256(key: Buffer): (text: string) => string {
  const inner = Buffer.alloc(BLOCK_BYTES + MAX_TEXT_BYTES);
  const outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES);
  for (let index = 0; index < BLOCK_BYTES; index += 1) {
    inner[index] = 0x36 ^ (key[index] ?? 0);
    outer[index] = 0x5c ^ (key[index] ?? 0);
  }
  // perf: a view costs as much as a hash, and texts have few lengths.
  const views = Array.from({ length: MAX_TEXT_BYTES + 1 }, (_, length) =>
    inner.subarray(0, BLOCK_BYTES + length),
  );

  return (text) => {
    // A UTF-16 code unit has at most three bytes in UTF-8.
    if (text.length * 3 > MAX_TEXT_BYTES)
      return createHmac('sha256', key).update(text).digest('hex');
    const view = views[inner.write(text, BLOCK_BYTES)] ?? inner;
    outer.write(hash('sha256', view, 'binary'), BLOCK_BYTES, 'latin1');
    return hash('sha256', outer, 'hex');
  };
}

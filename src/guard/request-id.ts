import { randomBytes } from 'node:crypto';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const RANDOM_CHARACTERS = 16;
const POOL_BYTES = RANDOM_CHARACTERS * 256;

let pool = Buffer.alloc(0);
let position = 0;

/** Makes the id of a request: `req_` and a ULID. */
export function createRequestId(): string {
  let rest = Date.now();
  let time = '';
  for (let digit = 0; digit < 10; digit += 1) {
    time = ALPHABET.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  if (position + RANDOM_CHARACTERS > pool.length) {
    pool = randomBytes(POOL_BYTES);
    position = 0;
  }
  let random = '';
  for (let index = 0; index < RANDOM_CHARACTERS; index += 1) {
    random += ALPHABET.charAt((pool[position + index] ?? 0) % 32);
  }
  position += RANDOM_CHARACTERS;
  return `req_${time}${random}`;
}

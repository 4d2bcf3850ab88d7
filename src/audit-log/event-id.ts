import { encodeTime } from 'ulid';

import type { Entry } from './entry-store.js';

/** The digits of a ULID (Crockford's base 32). */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_LENGTH = 10;
const REST_LENGTH = 16;

/**
 * The id of an entry: `evt_` and a ULID of its time and its number, so that ids are unique, sort by time, and need not be
 * stored.
 */
export function eventIdOf({ micros, id }: Pick<Entry, 'micros' | 'id'>): string {
  let rest = '';
  for (let left = id; left > 0; left = Math.floor(left / DIGITS.length)) {
    rest = DIGITS.charAt(left % DIGITS.length) + rest;
  }
  const time = encodeTime(Math.floor(micros / 1000), TIME_LENGTH);
  return `evt_${time}${rest.padStart(REST_LENGTH, '0')}`;
}

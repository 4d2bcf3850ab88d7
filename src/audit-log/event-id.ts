import { decodeTime, encodeTime } from 'ulid';

import { isId } from '../db/id.js';
import type { Entry } from './entry-store.js';

/** The digits of a ULID (Crockford's base 32). */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_LENGTH = 10;
const REST_LENGTH = 16;
/** A ULID has 128 bits. */
const LAST_ULID = '7ZZZZZZZZZZZZZZZZZZZZZZZZZ';

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

/** Reads the number of an entry, and the millisecond of its time, from its id. @returns `undefined` if it has another form */
export function parseEventId(
  eventId: string,
): { readonly id: number; readonly millis: number } | undefined {
  const ulid = eventId.slice('evt_'.length);
  if (!isId('evt', eventId) || ulid > LAST_ULID) return undefined;
  let id = 0;
  for (const digit of ulid.slice(TIME_LENGTH)) id = id * DIGITS.length + DIGITS.indexOf(digit);
  return Number.isSafeInteger(id) ? { id, millis: decodeTime(ulid) } : undefined;
}

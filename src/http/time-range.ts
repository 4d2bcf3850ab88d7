import { z } from 'zod';

import { coded, timestamp } from './validation.js';

const DAY_MS = 86_400_000;

const day = z.iso.date();
const instant = timestamp();

/** A limit of a range of time: a day (UTC), or a time with its offset. */
export const timeLimit = z
  .string()
  .max(35)
  .refine(
    (value) =>
      instant.safeParse(day.safeParse(value).success ? `${value}T00:00:00Z` : value).success,
    coded(
      'invalid_format',
      'must be a day such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z, in the years 1970 to 9999',
    ),
  );

/** @returns the first time that a range from this limit on includes */
export function startOf(limit: string): Date {
  return new Date(limit);
}

/**
 * The end of a range that includes its last day or time. Parameters have milliseconds, stored times microseconds.
 * @returns the first time after it
 */
export function endOf(limit: string): Date {
  const time = new Date(limit).getTime();
  return new Date(time + (limit.includes('T') ? 1 : DAY_MS));
}

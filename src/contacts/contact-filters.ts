import { z } from 'zod';

import { text } from '../http/validation.js';
import { CONTACT_TYPES } from './contact.js';

const DAY_MS = 86_400_000;

/** A day (UTC), or a time with its offset, between 1970 and 9999. */
const time = z
  .string()
  .max(35)
  .pipe(
    z.union([z.iso.date(), z.iso.datetime({ offset: true })], {
      error: 'must be a day such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z',
    }),
  )
  .refine((value) => {
    const year = new Date(value).getUTCFullYear();
    return year >= 1970 && year <= 9999;
  }, 'must lie between the years 1970 and 9999');

/** The query of `GET /contacts`. `dateFrom` and `dateTo` are inclusive, a day with all its hours. */
export const contactFilters = z.object({
  type: z.enum(CONTACT_TYPES).optional(),
  search: text(200).optional(),
  dateFrom: time.optional(),
  dateTo: time.optional(),
});

export type ContactFilters = Readonly<z.output<typeof contactFilters>>;

/** @returns the first time that is included */
export function startOf(dateFrom: string): Date {
  return new Date(dateFrom);
}

/** @returns the first time after `dateTo`; times are told to the millisecond, and stored to the microsecond */
export function endOf(dateTo: string): Date {
  const time = new Date(dateTo).getTime();
  return new Date(time + (dateTo.includes('T') ? 1 : DAY_MS));
}

import { z } from 'zod';

import { coded, text, timestamp } from '../../http/validation.js';
import { CONTACT_TYPES } from './contact.js';

const DAY_MS = 86_400_000;

const day = z.iso.date();
const instant = timestamp();

/** A day (UTC), or a time with its offset. */
const time = z
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

/** The query of `GET /contacts`. `dateFrom` and `dateTo` are inclusive. A date includes the whole day. */
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

/** @returns the first time after `dateTo`; parameters have milliseconds, stored times microseconds */
export function endOf(dateTo: string): Date {
  const time = new Date(dateTo).getTime();
  return new Date(time + (dateTo.includes('T') ? 1 : DAY_MS));
}

import { z } from 'zod';

import { timeLimit } from '../../http/time-range.js';
import { text } from '../../http/validation.js';
import { CONTACT_TYPES } from './contact.js';

/** The query of `GET /contacts`. `dateFrom` and `dateTo` are inclusive. A date includes the whole day. */
export const contactFilters = z.object({
  type: z.enum(CONTACT_TYPES).optional(),
  search: text(200).optional(),
  dateFrom: timeLimit.optional(),
  dateTo: timeLimit.optional(),
});

export type ContactFilters = Readonly<z.output<typeof contactFilters>>;

import { z } from 'zod';

import { endOf, startOf, timeLimit } from '../http/time-range.js';
import { invalid, text } from '../http/validation.js';

/** The spans by which usage is summed, with the longest range that is answered and the one that is usual, in spans. */
const SPANS = {
  hour: { ms: 3_600_000, most: 31 * 24, usual: 24 },
  day: { ms: 86_400_000, most: 400, usual: 30 },
} as const;

export type Span = keyof typeof SPANS;
export const SPAN_NAMES = Object.keys(SPANS) as Span[];

/** The parameters of a history. */
export const usageParameters = z.object({
  key: text(100).optional(),
  from: timeLimit.optional(),
  to: timeLimit.optional(),
  per: z.enum(SPAN_NAMES).default('hour'),
});

/** Whole hours or days (UTC). Times are milliseconds since the epoch. */
export interface UsageRange {
  readonly per: Span;
  /** The length of a span. */
  readonly ms: number;
  readonly from: number;
  /** Exclusive. Not later than the end of the present span. */
  readonly to: number;
}

/**
 * The range that the parameters mean, widened to whole spans. `to` is inclusive, and now by default; `from` is 24 hours or
 * 30 days earlier by default.
 *
 * @throws Problem `validation_failed` if it ends before it begins, or is longer than 31 days of hours or 400 days
 */
export function usageRangeOf({
  from,
  to,
  per,
}: {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly per: Span;
}): UsageRange {
  const { ms, most, usual } = SPANS[per];
  const present = (Math.floor(Date.now() / ms) + 1) * ms;
  const wanted = to === undefined ? present : Math.ceil(endOf(to).getTime() / ms) * ms;
  const end = Math.min(wanted, present);
  const start =
    from === undefined ? end - usual * ms : Math.floor(startOf(from).getTime() / ms) * ms;
  if (from !== undefined && start >= wanted) throw fault('from', 'must be before to');
  if (end - start > most * ms) {
    throw fault('from', `must be at most ${most / (per === 'hour' ? 24 : 1)} days before to`);
  }
  return { per, ms, from: start, to: Math.max(start, end) };
}

function fault(field: string, message: string) {
  return invalid([{ field, code: 'invalid_value', message }]);
}

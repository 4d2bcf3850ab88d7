import { z } from 'zod';

import { endOf, startOf, timeLimit } from '../http/time-range.js';
import { text } from '../http/validation.js';

/** Whether something was done, or an attempt was refused. */
export const RESULTS = ['success', 'refused'] as const;
export type Result = (typeof RESULTS)[number];

/** The parameters that narrow the audit log, in the API, in the console and on the command line. */
export const entryParameters = z.object({
  from: timeLimit.optional(),
  to: timeLimit.optional(),
  actor: text(320).optional(),
  action: text(100).optional(),
  object: text(500).optional(),
  result: z.enum(RESULTS).optional(),
  address: text(100).optional(),
  requestId: text(100).optional(),
});

export type EntryParameters = Readonly<z.output<typeof entryParameters>>;

/** The filters of a list of audit entries. */
export interface EntryFilter {
  readonly from?: Date | undefined;
  /** Exclusive. */
  readonly before?: Date | undefined;
  /** The id of an account, a key or an app, or `operator`. */
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly object?: string | undefined;
  readonly result?: Result | undefined;
  readonly address?: string | undefined;
  readonly requestId?: string | undefined;
}

/** @returns the filter that the parameters mean; `from` and `to` are inclusive, a day includes all of it */
export function entryFilterOf({ from, to, ...rest }: EntryParameters): EntryFilter {
  return {
    ...rest,
    from: from === undefined ? undefined : startOf(from),
    before: to === undefined ? undefined : endOf(to),
  };
}

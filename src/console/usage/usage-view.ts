import { COST } from '../../http/route-declaration.js';
import type { UsageOrNoLimit } from '../../rate-limits/index.js';
import { numberText } from './usage-chart.js';

/** A budget of requests as the page shows it. */
export interface ShownBudget {
  readonly title: string;
  /** Absent for a budget without a limit. */
  readonly meter:
    | {
        readonly used: number;
        readonly limit: number;
        /** From here on the budget is nearly used up. */
        readonly high: number;
      }
    | undefined;
  readonly text: string;
  readonly isSpent: boolean;
}

/** The part of a budget from which on it counts as nearly used up. */
const NEARLY = 0.8;

/** Costs of requests, in units. */
export const COSTS: readonly { readonly what: string; readonly units: number }[] = [
  { what: 'Reading', units: COST.read },
  { what: 'Creating, changing, deleting', units: COST.change },
  { what: 'Exporting (paths ending in /exports)', units: COST.export },
  { what: 'A PDF file (paths ending in /pdf)', units: COST.pdf },
  { what: 'Changing in bulk (paths ending in /bulk)', units: COST.bulk },
  { what: 'Importing (paths ending in /imports)', units: COST.import },
];

export function showBudget(title: string, usage: UsageOrNoLimit): ShownBudget {
  const { limit, used, remaining, resetSeconds } = usage;
  if (limit === null) {
    return { title, meter: undefined, text: 'There is no limit.', isSpent: false };
  }
  const left = `${numberText(used)} of ${numberText(limit)} units used in the last hour, ${numberText(remaining)} left.`;
  const reset = used === 0 ? '' : ` More is free again in ${secondsInWords(resetSeconds)}.`;
  return {
    title,
    meter: { used: Math.min(used, limit), limit, high: Math.floor(limit * NEARLY) },
    text: left + reset,
    isSpent: remaining === 0,
  };
}

/** A time to wait, such as `12 seconds`. */
export function secondsInWords(seconds: number): string {
  if (seconds < 60) return seconds === 1 ? '1 second' : `${seconds} seconds`;
  const minutes = Math.ceil(seconds / 60);
  return minutes === 1 ? '1 minute' : `${minutes} minutes`;
}

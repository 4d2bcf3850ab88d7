import { setTimeout as pause } from 'node:timers/promises';

import type { Competitor } from './competition.js';
import type { ExchangeStore, Redemption, RedemptionOutcome } from './exchange-store.js';

/**
 * Requests that compete for one code or token are seldom read at once: the others come milliseconds later,
 * or to another replica. Where the losers get nothing (codes, and refresh tokens without a grace window), the
 * winner's answer is held back for a moment, and a request that comes until then is not reuse: nobody can have
 * been told yet that the token is consumed. Longer where others have been seen; and while many answers are
 * waiting, the next ones hardly at all, so that waiting never bounds how many there can be.
 */
const HELD_BACK_MS = { alone: 50, competing: 200, crowded: 3 } as const;
/** So many answers at once are held back for the full time. */
const MAX_ALONE = 8;
/** Timers may be early by a millisecond. */
const TIMER_SLACK_MS = 2;

/**
 * Consumes a code or refresh token and issues what it is exchanged for: all of it, or nothing.
 *
 * @param competitor `undefined` if the answer need not be held back
 * @returns the outcome, when the answer may leave
 */
export type Issue = (
  redemption: Omit<Redemption, 'competingSeconds'>,
  competitor: Competitor | undefined,
) => Promise<RedemptionOutcome>;

export function createIssuing(store: ExchangeStore): Issue {
  let alone = 0;

  function chooseHold(competitor: Competitor): keyof typeof HELD_BACK_MS {
    if (competitor.hasMetOthers()) return 'competing';
    return alone < MAX_ALONE ? 'alone' : 'crowded';
  }

  return async (redemption, competitor) => {
    if (competitor === undefined) return store.redeem({ ...redemption, competingSeconds: 0 });
    // Chosen before the commit, which records until when another use is none: the very time that the
    // answer is held back.
    const hold = chooseHold(competitor);
    if (hold === 'alone') alone += 1;
    try {
      const competingSeconds = HELD_BACK_MS[hold] / 1000;
      const outcome = await store.redeem({ ...redemption, competingSeconds });
      if (outcome === 'issued') await pause(HELD_BACK_MS[hold] + TIMER_SLACK_MS);
      return outcome;
    } finally {
      if (hold === 'alone') alone -= 1;
    }
  };
}

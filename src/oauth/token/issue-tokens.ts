import { setTimeout as pause } from 'node:timers/promises';

import type { Redemption, RedemptionOutcome, TokenStore } from './code-store.js';

/** Counts the requests of this process that redeem the same code or refresh token at the same time. */
export interface InFlightRedemptions {
  /** Registers a request until `end` is called. @param token the code or refresh token as presented */
  begin(token: string): Attempt;
}

export interface Attempt {
  /** Whether another request for the same token was registered since this one began. */
  isContested(): boolean;
  end(): void;
}

export function createInFlightRedemptions(): InFlightRedemptions {
  const redemptions = new Map<string, { active: number; total: number }>();
  return {
    begin(token) {
      const redemption = redemptions.get(token) ?? { active: 0, total: 0 };
      redemption.active += 1;
      redemption.total += 1;
      redemptions.set(token, redemption);
      return {
        isContested: () => redemption.total > 1,
        end() {
          redemption.active -= 1;
          if (redemption.active === 0) redemptions.delete(token);
        },
      };
    },
  };
}

/**
 * Delay between commit and response where the losers of a race get nothing: codes, and refresh tokens without a grace
 * window. Concurrent requests are often read milliseconds apart, or by another replica. During the delay the client
 * cannot know that the token is consumed, so a second request is concurrent and not reuse (decision 10).
 *
 * `contested` applies if another request for the same token was seen. `busy` applies while `MAX_SINGLE` responses are
 * delayed already, so that the delay does not limit throughput.
 */
const RESPONSE_DELAY_MS = { single: 50, contested: 200, busy: 3 } as const;
const MAX_SINGLE = 8;
/** Timers can fire a millisecond early. */
const TIMER_SLACK_MS = 2;

/**
 * Consumes a code or refresh token and issues its successors, or does neither.
 *
 * @param attempt `undefined` if the response need not be delayed
 * @returns the outcome, once the response may be sent
 */
export type IssueTokens = (
  redemption: Omit<Redemption, 'reuseAfterSeconds'>,
  attempt: Attempt | undefined,
) => Promise<RedemptionOutcome>;

/** @param onIssued called once tokens are committed, with what was exchanged for them */
export function createIssueTokens(
  store: TokenStore,
  onIssued: (source: Redemption['source']) => void,
): IssueTokens {
  let delayed = 0;

  function chooseDelay(attempt: Attempt): keyof typeof RESPONSE_DELAY_MS {
    if (attempt.isContested()) return 'contested';
    return delayed < MAX_SINGLE ? 'single' : 'busy';
  }

  async function redeem(redemption: Redemption): Promise<RedemptionOutcome> {
    const outcome = await store.redeem(redemption);
    if (outcome === 'issued') onIssued(redemption.source);
    return outcome;
  }

  return async (redemption, attempt) => {
    if (attempt === undefined) return redeem({ ...redemption, reuseAfterSeconds: 0 });
    // Chosen before the commit, because the row records until when another use is concurrent.
    const delay = chooseDelay(attempt);
    if (delay === 'single') delayed += 1;
    try {
      const reuseAfterSeconds = RESPONSE_DELAY_MS[delay] / 1000;
      const outcome = await redeem({ ...redemption, reuseAfterSeconds });
      if (outcome === 'issued') await pause(RESPONSE_DELAY_MS[delay] + TIMER_SLACK_MS);
      return outcome;
    } finally {
      if (delay === 'single') delayed -= 1;
    }
  };
}

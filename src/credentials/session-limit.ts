import type { Middleware } from 'koa';
import type { Registry } from 'prom-client';

import type { RequestState } from '../http/context.js';
import type { RateBuckets } from '../http/rate-buckets.js';
import { createRateLimit, type Budget } from '../http/rate-limit.js';

/** Requests of one session in a minute: more than a person makes. */
const REQUESTS_PER_MINUTE = 180;

/** Makes the middleware for requests whose state names their session in one way or another. */
export type SessionLimit = <State extends RequestState>(
  sessionIdOf: (state: State) => string,
) => Middleware<State>;

/**
 * Makes middleware that counts a request on the budget of its session, or refuses it with 429.
 * @param buckets those of a window of a minute
 */
export function createSessionLimit({
  buckets,
  now,
  register,
}: {
  readonly buckets: RateBuckets;
  readonly now: () => number;
  readonly register: Registry;
}): SessionLimit {
  const budget: Budget = {
    label: 'session',
    name: 'Session',
    whose: "The session's budget",
    counts: 'requests',
    buckets,
  };
  return <State extends RequestState>(sessionIdOf: (state: State) => string) => {
    const limitRate = createRateLimit<State>({
      now,
      register,
      sharesOf: ({ state }, time) => {
        const bucket = buckets.open(`session ${sessionIdOf(state)}`, time);
        return [{ budget, bucket, limit: REQUESTS_PER_MINUTE }];
      },
    });
    // What a request costs depends on its route only for budgets that count in units.
    return limitRate({ method: 'GET', path: '/' });
  };
}

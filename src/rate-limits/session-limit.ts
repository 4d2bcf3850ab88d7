import type { Middleware } from 'koa';
import type { Registry } from 'prom-client';

import type { RequestState } from '../http/context.js';
import type { RateBuckets } from './buckets.js';
import { COST } from '../http/route-declaration.js';
import { createRateLimit, headersOf, type Budget } from './middleware.js';

/** Requests of one session in a minute, more than a person makes. */
const REQUESTS_PER_MINUTE = 180;

/** Makes the middleware, given how to find the session's id in a request's state. */
export type SessionLimit = <State extends RequestState>(
  sessionIdOf: (state: State) => string,
) => Middleware<State>;

/**
 * Makes middleware that counts a request on the budget of its session, or refuses it with 429.
 * @param buckets the buckets of the window of a minute
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
    headers: headersOf('Session'),
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
    // The cost only matters for budgets that count units.
    return limitRate({ cost: COST.read });
  };
}

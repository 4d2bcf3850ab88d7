import type { Middleware } from 'koa';
import { Counter, type Registry } from 'prom-client';

import { addHeader } from '../http/answer-headers.js';
import type { RequestState } from '../http/context.js';
import { noteRefusal } from '../http/errors/oauth-error.js';
import { Problem } from '../http/errors/problem.js';
import type { Bucket, RateBuckets } from './buckets.js';
import type { ApiRoute } from '../http/api-route.js';
import { secondsUntilMore } from './sliding-window.js';

/** A kind of rate limit, with its buckets. */
export interface Budget {
  /** Its name in metrics. */
  readonly label: string;
  readonly headers: HeaderNames;
  /** The subject of the sentence in a refusal. */
  readonly whose: string;
  readonly counts: 'units' | 'requests';
  readonly buckets: RateBuckets;
}

/** The names of the headers that tell the figures of a budget. */
export interface HeaderNames {
  readonly limit: string;
  readonly remaining: string;
  readonly reset: string;
}

/** @param name the name of the budget in headers: `RateLimit-<name>-Limit` */
export function headersOf(name: string): HeaderNames {
  const prefix = `RateLimit-${name}`;
  return { limit: `${prefix}-Limit`, remaining: `${prefix}-Remaining`, reset: `${prefix}-Reset` };
}

/** The bucket and limit of one caller within a budget. Unlimited callers have none. */
export interface Share {
  readonly budget: Budget;
  readonly bucket: Bucket;
  readonly limit: number;
}

/** The used and remaining units of a share. */
export interface Usage {
  readonly limit: number;
  readonly used: number;
  readonly remaining: number;
  /** Seconds until more remains; 0 if nothing is used. */
  readonly resetSeconds: number;
  readonly windowSeconds: number;
}

export function usageOf({ budget, bucket, limit }: Share, now: number): Usage {
  const { windowSeconds } = budget.buckets;
  return {
    limit,
    used: bucket.used,
    remaining: Math.max(0, limit - bucket.used),
    resetSeconds: secondsUntilMore(bucket, { limit, windowSeconds, now }),
    windowSeconds,
  };
}

/**
 * Makes the middleware that counts a request on its caller's budgets, or refuses it. A request is refused only if
 * nothing is left: one that costs more than is left completes. Refused requests are not counted. Every answer has
 * the `RateLimit-*` headers.
 *
 * @param sharesOf the shares that a request counts on
 */
export function createRateLimit<State extends RequestState>({
  sharesOf,
  now,
  register,
}: {
  sharesOf: (ctx: Parameters<Middleware<State>>[0], now: number) => readonly Share[];
  now: () => number;
  register: Registry;
}): (route: Pick<ApiRoute<unknown, State>, 'cost'>) => Middleware<State> {
  const spend = createSpending(register);

  return ({ cost }) =>
    (ctx, next) => {
      const time = now();
      const shares = sharesOf(ctx, time);
      const refusal = spend(shares, cost, time);
      for (const share of shares) writeHeaders(ctx, share, time);
      if (refusal === undefined) return next();
      noteRefusal(ctx, 'rate_limited', `budget: ${refusal.budget}`);
      throw refusal.problem;
    };
}

/** A refusal because a budget is spent, with the name of the budget in metrics. */
export interface SpentBudget {
  readonly budget: string;
  readonly problem: Problem;
}

/**
 * Counts a request on its shares, or refuses it: only if nothing is left of one of them.
 *
 * @param requests how many requests `cost` stands for, if a service reports several at once
 * @returns `undefined` if it was counted
 */
export type Spend = (
  shares: readonly Share[],
  cost: number,
  now: number,
  requests?: number,
) => SpentBudget | undefined;

export function createSpending(register: Registry): Spend {
  const refusals = refusalsIn(register);
  return (shares, cost, now, requests = 1) => {
    if (!shares.some(hasNothingLeft)) {
      for (const { budget, bucket } of shares) {
        budget.buckets.add(bucket, budget.counts === 'units' ? cost : requests);
      }
      return undefined;
    }
    const { budget, seconds } = refusalBy(shares, now);
    refusals.inc({ budget: budget.label });
    const problem = new Problem(
      'rate_limited',
      `${budget.whose} is used up for now. Try again in ${seconds} s.`,
      { headers: { 'Retry-After': String(seconds) } },
    );
    return { budget: budget.label, problem };
  };
}

const REFUSALS = 'gatehouse_rate_limited_total';

/** Gets or creates the counter of a registry, since several limits share it. */
function refusalsIn(register: Registry): Counter<'budget'> {
  const known = register.getSingleMetric(REFUSALS);
  if (known instanceof Counter) return known;
  return new Counter({
    name: REFUSALS,
    help: 'Requests refused because a budget was spent, by budget.',
    labelNames: ['budget'] as const,
    registers: [register],
  });
}

function hasNothingLeft({ bucket, limit }: Share): boolean {
  return bucket.used >= limit;
}

/** Chooses the spent share with the longest wait, so that a client that waits is not refused again. */
function refusalBy(shares: readonly Share[], now: number): { budget: Budget; seconds: number } {
  const [longest] = shares
    .filter(hasNothingLeft)
    .map((share) => ({ budget: share.budget, seconds: usageOf(share, now).resetSeconds }))
    .toSorted((a, b) => b.seconds - a.seconds);
  if (longest === undefined) throw new Error('no budget is spent');
  return longest;
}

/** Writes the `RateLimit-*` headers of a share. */
export function writeHeaders(
  answer: Parameters<typeof addHeader>[0],
  share: Share,
  now: number,
): void {
  const { headers } = share.budget;
  const { limit, remaining, resetSeconds } = usageOf(share, now);
  addHeader(answer, headers.limit, String(limit));
  addHeader(answer, headers.remaining, String(remaining));
  addHeader(answer, headers.reset, String(resetSeconds));
}

import type { AttemptVerdict } from './attempts.js';
import { subscriberOf } from '../http/networks.js';
import {
  add,
  advance,
  createCount,
  isOver,
  secondsUntilMore,
  slotAt,
  type SlidingCount,
} from './sliding-window.js';

const WINDOW_SECONDS = 60;
/** About 300 bytes each. Beyond the limit, the least recently used one is evicted. */
const MAX_COUNTS = 100_000;
/** A customer often has a /48. All its /64 networks together may use ten times the limit of one. */
const SITE_FACTOR = 10;

/**
 * A limit for anonymous requests by address (IPv6 by /64, and by /48 with ten times the limit) within a sliding
 * minute. It is counted in memory: a row for each request would itself be a load on the database.
 */
export interface AddressLimit {
  /**
   * Counts a request unless the limit is reached. Refused requests are not counted.
   * @param purpose separates the counts of different limits
   * @param perMinute 0 is unlimited
   */
  take(purpose: string, address: string, perMinute: number): AttemptVerdict;
  /** The same for a subject with an id, such as an account or a grant. */
  takeFor(purpose: string, id: string, perMinute: number): AttemptVerdict;
}

/** @param now milliseconds since the epoch, of a monotonic clock */
export function createAddressLimit(
  now: () => number,
  { maxCounts = MAX_COUNTS }: { readonly maxCounts?: number } = {},
): AddressLimit {
  /** Ordered by last use. */
  const counts = new Map<string, SlidingCount>();

  function open(id: string, slot: number): SlidingCount {
    const count = counts.get(id) ?? createCount(id, slot);
    advance(count, slot);
    counts.delete(id);
    counts.set(count.id, count);
    return count;
  }

  /** Deletes the counts whose window is over, and the oldest ones beyond the maximum. */
  function trim(slot: number): void {
    for (const [id, { newest }] of counts) {
      if (!isOver(newest, slot) && counts.size <= maxCounts) return;
      counts.delete(id);
    }
  }

  function takeAll(purpose: string, limits: readonly Limited[]): AttemptVerdict {
    const time = now();
    const slot = slotAt(time, WINDOW_SECONDS);
    const taken = limits.map(({ id, limit }) => ({ count: open(`${purpose} ${id}`, slot), limit }));
    trim(slot);
    const refusal = taken.find(({ count, limit }) => count.used >= limit);
    if (refusal === undefined) {
      for (const { count } of taken) add(count, 1);
      return { isAllowed: true };
    }
    const { count, limit } = refusal;
    const window = { limit, windowSeconds: WINDOW_SECONDS, now: time };
    return { isAllowed: false, retryAfterSeconds: Math.max(1, secondsUntilMore(count, window)) };
  }

  return {
    take: (purpose, address, perMinute) =>
      perMinute === 0 ? { isAllowed: true } : takeAll(purpose, limitsOf(address, perMinute)),
    takeFor: (purpose, id, perMinute) =>
      perMinute === 0 ? { isAllowed: true } : takeAll(purpose, [{ id, limit: perMinute }]),
  };
}

interface Limited {
  readonly id: string;
  readonly limit: number;
}

function limitsOf(address: string, limit: number): Limited[] {
  const id = subscriberOf(address);
  const site = /^(\w+:\w+:\w+):\w+::\/64$/.exec(id)?.[1];
  return [
    { id, limit },
    ...(site === undefined ? [] : [{ id: `${site}::/48`, limit: limit * SITE_FACTOR }]),
  ];
}

import type { AttemptVerdict } from './attempts.js';
import { subscriberOf } from './networks.js';
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
/** At some 300 bytes each. Beyond that, the one that was used least recently gives way. */
const MAX_COUNTS = 100_000;
/** One customer often has a /48: its 65,536 networks of 64 bits together are allowed ten times as much. */
const SITE_FACTOR = 10;

/**
 * A limit for what strangers do, by their address (IPv6 by /64, and by /48 with ten times the limit), within
 * a sliding minute. It is counted in this process: a row for each request would be the very thing that it prevents.
 */
export interface AddressLimit {
  /**
   * Counts a request, unless the limit is reached: a refused one does not count.
   * @param purpose what is limited; each has counts of its own
   * @param perMinute 0 for no limit
   */
  take(purpose: string, address: string, perMinute: number): AttemptVerdict;
  /** The same for a subject with an id of ours, such as an account or a grant. */
  takeFor(purpose: string, id: string, perMinute: number): AttemptVerdict;
}

/** @param now milliseconds since the epoch; must not step back */
export function createAddressLimit(
  now: () => number,
  { maxCounts = MAX_COUNTS }: { readonly maxCounts?: number } = {},
): AddressLimit {
  /** In the order of their last use. */
  const counts = new Map<string, SlidingCount>();

  function open(id: string, slot: number): SlidingCount {
    const count = counts.get(id) ?? createCount(id, slot);
    advance(count, slot);
    counts.delete(id);
    counts.set(id, count);
    return count;
  }

  /** Forgets the counts that are over, and as many more as exceed the bound. */
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

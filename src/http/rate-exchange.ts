import type { Logger } from 'pino';

import type { RateBuckets, Untold } from './rate-buckets.js';
import type { RateWindowStore, SlotUnits } from './rate-window-store.js';
import { advance, endOf, learn, ownSince, slotAt, slotEndingAt } from './sliding-window.js';

/** Lets replicas know of each other's counts. */
export interface RateExchange {
  /** The time that counting goes by: this process's, put right by the database's. */
  readonly now: () => number;
  /**
   * Tells what was counted here and learns what others have counted; to be called every second. Never
   * throws: while the database is away, counting goes on without the others.
   */
  readonly exchange: () => Promise<void>;
}

interface Dependencies {
  readonly store: RateWindowStore;
  /** Each window once. */
  readonly buckets: readonly RateBuckets[];
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly log: Logger;
}

/** Buckets of one statement. */
const TOLD_AT_ONCE = 2000;
/** Each can have rows for every slot. */
const NEW_AT_ONCE = 500;
/** What was changed earlier may have become visible later; it is read again. */
const OVERLAP_MS = 1000;
/** Replicas whose clocks differ by less agree well enough. */
const MAX_SKEW_MS = 1000;

export function createRateExchange({ store, buckets, clock, log }: Dependencies): RateExchange {
  const byWindow = new Map(buckets.map((item) => [item.windowSeconds, item]));
  let offset = 0;
  let since: number | undefined;
  let isAway = false;
  let running = Promise.resolve();
  let next: Promise<void> | undefined;

  const now = () => clock() + offset;

  /** Replicas cannot share slots unless they agree on the time. */
  async function followDatabase(): Promise<number> {
    const asked = now();
    const time = await store.now();
    const answered = now();
    const skew = time - (asked + answered) / 2;
    if (Math.abs(skew) > MAX_SKEW_MS + answered - asked) {
      offset += skew;
      for (const each of buckets) each.clear();
    }
    return time;
  }

  async function tell(own: RateBuckets): Promise<void> {
    const untold = own.takeUntold();
    for (let start = 0; start < untold.length; start += TOLD_AT_ONCE) {
      const counted = untold.slice(start, start + TOLD_AT_ONCE).flatMap((item) => {
        advance(item.bucket, slotAt(now(), own.windowSeconds));
        return slotsOf(item, own.windowSeconds);
      });
      try {
        if (counted.length > 0) await store.tell(counted);
      } catch (error) {
        for (const item of untold.slice(start)) own.giveBack(item);
        throw error;
      }
    }
  }

  async function learnOfNew(own: RateBuckets): Promise<void> {
    const ids = own.takeNew();
    for (let start = 0; start < ids.length; start += NEW_AT_ONCE) {
      try {
        learnAll(await store.heardOf(ids.slice(start, start + NEW_AT_ONCE)));
      } catch (error) {
        own.giveBackNew(ids.slice(start));
        throw error;
      }
    }
  }

  function learnAll(heard: readonly SlotUnits[]): void {
    for (const { bucket, windowSeconds, endsAt, units } of heard) {
      const slot = slotEndingAt(endsAt, windowSeconds);
      // What was counted by a clock that is far ahead must not make time jump here.
      if (slot > slotAt(now(), windowSeconds) + 1) continue;
      const own = byWindow.get(windowSeconds)?.openForOthers(bucket, now());
      if (own !== undefined) learn(own, slot, units);
    }
  }

  async function exchangeNow(): Promise<void> {
    const time = await followDatabase();
    for (const each of buckets) await tell(each);
    learnAll(await store.heardSince((since ?? time) - OVERLAP_MS));
    since = time;
    for (const each of buckets) await learnOfNew(each);
  }

  async function attempt(): Promise<void> {
    try {
      await exchangeNow();
      if (isAway) log.info({}, 'budgets are shared with the other replicas again');
      isAway = false;
    } catch (error) {
      if (!isAway) log.warn({ err: error }, 'budgets cannot be shared: each replica counts alone');
      isAway = true;
    }
    for (const each of buckets) each.sweep(now());
  }

  return {
    now,
    exchange() {
      // One may follow the one that is running, which may have missed the latest; no more than one.
      next ??= running.then(() => {
        next = undefined;
        running = attempt();
        return running;
      });
      return next;
    },
  };
}

/** A clock that never steps back, as the system's may. */
export function createSteadyClock(): () => number {
  const { timeOrigin } = performance;
  return () => timeOrigin + performance.now();
}

function slotsOf({ bucket, from }: Untold, windowSeconds: number): SlotUnits[] {
  return ownSince(bucket, from).map(({ slot, units }) => ({
    ...{ bucket: bucket.id, windowSeconds, units },
    endsAt: endOf(slot, windowSeconds),
  }));
}

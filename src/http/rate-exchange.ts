import type { Logger } from 'pino';

import type { Bucket, RateBuckets } from './rate-buckets.js';
import type { RateWindowStore, SlotUnits } from './rate-window-store.js';
import {
  advance,
  endOf,
  learn,
  settle,
  slotAt,
  slotEndingAt,
  unsentSlots,
} from './sliding-window.js';

/** Lets replicas know of each other's counts. */
export interface RateExchange {
  /** The time that counting goes by: this process's, put right by the database's. */
  readonly now: () => number;
  /**
   * Tells what was counted here and learns what others have counted; to be called every second. Never
   * throws: while the database is away, counting goes on without the others.
   */
  exchange(): Promise<void>;
}

interface Dependencies {
  readonly store: RateWindowStore;
  /** Each window once. */
  readonly buckets: readonly RateBuckets[];
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly log: Logger;
}

/** Something counted here, on its way to the others. */
interface Increment extends SlotUnits {
  readonly buckets: RateBuckets;
  readonly of: Bucket;
  readonly slot: number;
}

/** Rows of one statement. */
const BATCH = 2000;
/** New buckets that are asked for at once, each of which can have a row for every slot. */
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

  async function tell(): Promise<void> {
    const increments = buckets.flatMap((each) => takeIncrements(each, now()));
    for (let start = 0; start < increments.length; start += BATCH) {
      const batch = increments.slice(start, start + BATCH);
      try {
        await store.add(batch);
      } catch (error) {
        for (const { buckets: own, of } of increments.slice(start)) own.giveBack(of);
        throw error;
      }
      for (const { of, slot, units } of batch) settle(of, slot, units);
    }
  }

  async function learnOfNew(own: RateBuckets): Promise<void> {
    const ids = own.takeNew();
    for (let start = 0; start < ids.length; start += NEW_AT_ONCE) {
      try {
        learnAll(await store.findOf(ids.slice(start, start + NEW_AT_ONCE)));
      } catch (error) {
        own.giveBackNew(ids.slice(start));
        throw error;
      }
    }
  }

  function learnAll(rows: readonly SlotUnits[]): void {
    for (const { bucket, windowSeconds, endsAt, units } of rows) {
      const slot = slotEndingAt(endsAt, windowSeconds);
      // What was counted by a clock that is far ahead must not make time jump here.
      if (slot > slotAt(now(), windowSeconds) + 1) continue;
      const own = byWindow.get(windowSeconds)?.openForOthers(bucket, now());
      if (own !== undefined) learn(own, slot, units);
    }
  }

  async function exchangeNow(): Promise<void> {
    const time = await followDatabase();
    await tell();
    learnAll(await store.changedSince((since ?? time) - OVERLAP_MS));
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

function takeIncrements(buckets: RateBuckets, now: number): Increment[] {
  const { windowSeconds } = buckets;
  return buckets.takeUnsent().flatMap((of) => {
    advance(of, slotAt(now, windowSeconds));
    return unsentSlots(of).map(({ slot, units }) => ({
      ...{ buckets, of, slot, units, windowSeconds },
      bucket: of.id,
      endsAt: endOf(slot, windowSeconds),
    }));
  });
}

import type { Logger } from 'pino';

import type { BackgroundWork } from '../db/background-work.js';
import type { RateBuckets, Pending } from './buckets.js';
import type { CountedUnits, RateWindowStore, SlotUnits } from './window-store.js';
import { advance, endOf, merge, ownSince, slotAt, slotEndingAt } from './sliding-window.js';

/** Shares the counts of rate limits between replicas. */
export interface ReplicaSync {
  /** The time used for counting: this process's clock, corrected by the database's. */
  readonly now: () => number;
  /**
   * Publishes the counts of this replica and merges those of the others. To be called every second. Never
   * throws: while the database is unavailable, each replica counts alone.
   */
  readonly sync: () => Promise<void>;
}

interface Dependencies {
  readonly store: RateWindowStore;
  /** Each window once. */
  readonly buckets: readonly RateBuckets[];
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly log: Logger;
  readonly work: BackgroundWork;
}

/** Buckets of one statement. */
const PUBLISH_BATCH = 2000;
/** Smaller, because each bucket can have a row for every slot. */
const FETCH_BATCH = 500;
/** Rows are read again for this long: a change may become visible after a later one. */
const OVERLAP_MS = 1000;
/** Smaller differences between clocks are tolerated. */
const MAX_SKEW_MS = 1000;

export function createReplicaSync({ store, buckets, clock, log, work }: Dependencies): ReplicaSync {
  const byWindow = new Map(buckets.map((item) => [item.windowSeconds, item]));
  let offset = 0;
  let since: number | undefined;
  let isAway = false;
  let running = Promise.resolve();
  let next: Promise<void> | undefined;
  work.watchPending('budgets', () => buckets.reduce((sum, own) => sum + own.pending(), 0));

  const now = () => clock() + offset;

  /** Corrects the clock by the database's: replicas share slots, which are numbered by time. */
  async function adjustClock(): Promise<number> {
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

  function mergeAll(fetched: readonly SlotUnits[]): void {
    for (const { bucket, windowSeconds, endsAt, units } of fetched) {
      const slot = slotEndingAt(endsAt, windowSeconds);
      // A replica whose clock is far ahead must not move the time here.
      if (slot > slotAt(now(), windowSeconds) + 1) continue;
      const own = byWindow.get(windowSeconds)?.openForOthers(bucket, now());
      if (own !== undefined) merge(own, slot, units);
    }
  }

  async function syncNow(): Promise<void> {
    const time = await adjustClock();
    for (const each of buckets) await publish(each, store, now);
    mergeAll(await store.fetchSince((since ?? time) - OVERLAP_MS));
    since = time;
    for (const each of buckets) await fetchNew(each, store, mergeAll);
  }

  async function attempt(): Promise<void> {
    try {
      await work.run('budgets', syncNow);
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
    sync() {
      // At most one run is queued behind the running one, which may have missed the latest counts.
      next ??= running.then(() => {
        next = undefined;
        running = attempt();
        return running;
      });
      return next;
    },
  };
}

/** Publishes the units that this replica counted until now. */
async function publish(own: RateBuckets, store: RateWindowStore, now: () => number): Promise<void> {
  const { windowSeconds } = own;
  for (let left = own.pending(); left > 0; left -= PUBLISH_BATCH) {
    const pending = own.takePending(PUBLISH_BATCH);
    const counted = countedIn(pending, windowSeconds, slotAt(now(), windowSeconds));
    try {
      if (counted.buckets.length > 0) await store.publish(counted);
    } catch (error) {
      for (const item of pending) own.giveBack(item);
      throw error;
    }
  }
}

/** perf: columns, as they are sent. A busy replica has a row for most requests of a second. */
function countedIn(
  pending: readonly Pending[],
  windowSeconds: number,
  slotNow: number,
): CountedUnits {
  const buckets: string[] = [];
  const endsAt: number[] = [];
  const units: number[] = [];
  for (const { bucket, from } of pending) {
    advance(bucket, slotNow);
    for (const { slot, units: counted } of ownSince(bucket, from)) {
      buckets.push(bucket.id);
      endsAt.push(endOf(slot, windowSeconds));
      units.push(counted);
    }
  }
  return { windowSeconds, buckets, endsAt, units };
}

/** Fetches what the other replicas counted on buckets that are new here. */
async function fetchNew(
  own: RateBuckets,
  store: RateWindowStore,
  mergeAll: (fetched: readonly SlotUnits[]) => void,
): Promise<void> {
  const ids = own.takeNew();
  for (let start = 0; start < ids.length; start += FETCH_BATCH) {
    try {
      mergeAll(await store.fetchFor(ids.slice(start, start + FETCH_BATCH)));
    } catch (error) {
      own.giveBackNew(ids.slice(start));
      throw error;
    }
  }
}

/** A clock that never steps back, unlike the system's. */
export function createSteadyClock(): () => number {
  const { timeOrigin } = performance;
  return () => timeOrigin + performance.now();
}

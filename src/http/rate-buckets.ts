import { add, advance, createCount, isOver, slotAt, type SlidingCount } from './sliding-window.js';

/** A count that replicas tell each other of. */
export interface Bucket extends SlidingCount {
  /** The first slot in which something was counted that is yet to be told; `NONE` if all is. */
  untoldFrom: number;
}

/** The buckets of one window: in memory, and as many as fit there. */
export interface RateBuckets {
  readonly windowSeconds: number;
  /** The bucket of this name as it is now; a new one if nothing is known of it. */
  open(id: string, now: number): Bucket;
  /** The same for what only others have counted so far: none if memory is wanted for more. */
  openForOthers(id: string, now: number): Bucket | undefined;
  /** Counts on a bucket that was just opened. */
  add(bucket: Bucket, units: number): void;

  /** Hands over the buckets of which something is to be told, and from which slot on. */
  takeUntold(): Untold[];
  /** It could not be told. */
  giveBack(untold: Untold): void;
  /** Hands over the names of those that are new here: others may have counted on them before. */
  takeNew(): string[];
  giveBackNew(ids: readonly string[]): void;

  /** Forgets some of those on which nothing counts any more; to be called every second. */
  sweep(now: number): void;
  /** Forgets all, because the time was another than it seemed to be. */
  clear(): void;
  size(): number;
}

export interface Untold {
  readonly bucket: Bucket;
  readonly from: number;
}

/** At some 400 bytes each, 600 where there are other replicas. */
const MAX_BUCKETS = 100_000;
/** A round past all of them takes so many sweeps. */
const SWEEPS = 60;
const NONE = -1;

export function createRateBuckets(
  windowSeconds: number,
  { maxBuckets = MAX_BUCKETS }: { readonly maxBuckets?: number } = {},
): RateBuckets {
  const buckets = new Map<string, Bucket>();
  /** Goes round and round: what is next to be looked at, or to give way. */
  let round = buckets.values();
  /** So many are looked at by a sweep: what a round began with must not shrink its pace. */
  let pace = 0;
  let untold: Bucket[] = [];
  let fresh: string[] = [];

  function create(id: string, slot: number): Bucket {
    if (buckets.size >= maxBuckets) giveWay();
    // A copy: a part of a longer text would keep the whole of it in memory.
    const bucket = { ...createCount(Buffer.from(id).toString(), slot), untoldFrom: NONE };
    buckets.set(bucket.id, bucket);
    if (fresh.length < maxBuckets) fresh.push(bucket.id);
    return bucket;
  }

  function lookAtNext(): Bucket | undefined {
    const next = round.next();
    if (!next.done) return next.value;
    round = buckets.values();
    pace = 0;
    return undefined;
  }

  function giveWay(): void {
    const bucket = lookAtNext() ?? lookAtNext();
    if (bucket !== undefined) buckets.delete(bucket.id);
  }

  function markUntold(bucket: Bucket, from: number): void {
    if (bucket.untoldFrom !== NONE) {
      bucket.untoldFrom = Math.min(bucket.untoldFrom, from);
    } else if (untold.length < maxBuckets) {
      bucket.untoldFrom = from;
      untold.push(bucket);
    }
  }

  function open(id: string, now: number): Bucket {
    const slot = slotAt(now, windowSeconds);
    const bucket = buckets.get(id) ?? create(id, slot);
    advance(bucket, slot);
    return bucket;
  }

  return {
    windowSeconds,
    open,
    openForOthers: (id, now) =>
      buckets.has(id) || buckets.size < maxBuckets / 2 ? open(id, now) : undefined,
    add(bucket, units) {
      add(bucket, units);
      if (bucket.untoldFrom === NONE) markUntold(bucket, bucket.newest);
    },
    takeUntold() {
      const taken = untold;
      untold = [];
      return taken.map((bucket) => {
        const from = bucket.untoldFrom;
        bucket.untoldFrom = NONE;
        return { bucket, from };
      });
    },
    giveBack: ({ bucket, from }) => markUntold(bucket, from),
    takeNew() {
      const taken = fresh;
      fresh = [];
      return taken;
    },
    giveBackNew(ids) {
      fresh = [...ids, ...fresh].slice(0, maxBuckets);
    },
    sweep(now) {
      const slot = slotAt(now, windowSeconds);
      pace = Math.max(pace, Math.ceil(buckets.size / SWEEPS));
      for (let left = pace; left > 0; left -= 1) {
        const bucket = lookAtNext();
        if (bucket === undefined) return;
        if (isOver(bucket.newest, slot)) buckets.delete(bucket.id);
      }
    },
    clear() {
      buckets.clear();
      round = buckets.values();
      untold = [];
      fresh = [];
    },
    size: () => buckets.size,
  };
}

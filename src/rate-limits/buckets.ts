import { add, advance, createCount, isOver, slotAt, type SlidingCount } from './sliding-window.js';

/** A count that replicas publish to each other. */
export interface Bucket extends SlidingCount {
  /** The first slot with units that are not published yet; `NONE` if all are. */
  pendingFrom: number;
}

/** The buckets of one window. They are held in memory, up to a fixed number. */
export interface RateBuckets {
  readonly windowSeconds: number;
  /** Finds the bucket of this name, or creates it. Units that left the window are dropped. */
  open(id: string, now: number): Bucket;
  /** The same for a bucket that only other replicas have counted on. @returns `undefined` if memory is half full */
  openForOthers(id: string, now: number): Bucket | undefined;
  /** Counts on a bucket that was just opened. */
  add(bucket: Bucket, units: number): void;

  /** Removes and returns buckets with units to publish, oldest first, each with the first slot to publish. */
  takePending(max?: number): Pending[];
  /** Puts a bucket back that could not be published. */
  giveBack(pending: Pending): void;
  /** Removes and returns the names of new buckets. Other replicas may have counted on them before. */
  takeNew(): string[];
  giveBackNew(ids: readonly string[]): void;

  /** Deletes some of the buckets whose window is over. To be called every second. */
  sweep(now: number): void;
  /** Deletes all buckets, after the clock was corrected. */
  clear(): void;
  size(): number;
  /** How many have units to publish. */
  pending(): number;
}

export interface Pending {
  readonly bucket: Bucket;
  readonly from: number;
}

/** Each takes about 250 bytes, more with units in many slots (`docs/operations.md`, "Memory"). */
const MAX_BUCKETS = 100_000;
/** Sweeps per pass over all buckets. */
const SWEEPS = 60;
const NONE = -1;

export function createRateBuckets(
  windowSeconds: number,
  { maxBuckets = MAX_BUCKETS }: { readonly maxBuckets?: number } = {},
): RateBuckets {
  const buckets = new Map<string, Bucket>();
  const { evict, sweep, restart } = createSweeper(buckets, windowSeconds);
  const pending = createPendingList(maxBuckets);
  let fresh: string[] = [];

  function create(id: string, slot: number): Bucket {
    if (buckets.size >= maxBuckets) evict();
    const { id: ownId, used, newest, own, others } = createCount(id, slot);
    // perf: written out. V8 gives an object that a spread began a table of its own, of 280 bytes.
    const bucket = { id: ownId, used, newest, own, others, pendingFrom: NONE };
    buckets.set(bucket.id, bucket);
    if (fresh.length < maxBuckets) fresh.push(bucket.id);
    return bucket;
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
      if (bucket.pendingFrom === NONE) pending.mark(bucket, bucket.newest);
    },
    takePending: (max = Infinity) => pending.take(max),
    giveBack: ({ bucket, from }) => pending.mark(bucket, from),
    takeNew() {
      const taken = fresh;
      fresh = [];
      return taken;
    },
    giveBackNew(ids) {
      fresh = [...ids, ...fresh].slice(0, maxBuckets);
    },
    sweep,
    clear() {
      buckets.clear();
      restart();
      pending.clear();
      fresh = [];
    },
    size: () => buckets.size,
    pending: pending.size,
  };
}

/** Deletes buckets: those whose window is over, and any of them to make room. */
function createSweeper(buckets: Map<string, Bucket>, windowSeconds: number) {
  /** Iterates over all buckets again and again. */
  let cursor = buckets.values();
  /** Buckets per sweep, fixed for a full pass so that deletions do not slow it down. */
  let perSweep = 0;

  function nextBucket(): Bucket | undefined {
    const next = cursor.next();
    if (!next.done) return next.value;
    cursor = buckets.values();
    perSweep = 0;
    return undefined;
  }

  function evict(): void {
    const bucket = nextBucket() ?? nextBucket();
    if (bucket !== undefined) buckets.delete(bucket.id);
  }

  function sweep(now: number): void {
    const slot = slotAt(now, windowSeconds);
    perSweep = Math.max(perSweep, Math.ceil(buckets.size / SWEEPS));
    for (let left = perSweep; left > 0; left -= 1) {
      const bucket = nextBucket();
      if (bucket === undefined) return;
      if (isOver(bucket.newest, slot)) buckets.delete(bucket.id);
    }
  }

  function restart(): void {
    cursor = buckets.values();
  }

  return { evict, sweep, restart };
}

/** Buckets with units that are not published yet, each with the slot from which on. */
function createPendingList(maxBuckets: number) {
  let pending: Bucket[] = [];
  return {
    mark(bucket: Bucket, from: number): void {
      if (bucket.pendingFrom !== NONE) {
        bucket.pendingFrom = Math.min(bucket.pendingFrom, from);
      } else if (pending.length < maxBuckets) {
        bucket.pendingFrom = from;
        pending.push(bucket);
      }
    },
    take(max: number): Pending[] {
      return pending.splice(0, max).map((bucket) => {
        const from = bucket.pendingFrom;
        bucket.pendingFrom = NONE;
        return { bucket, from };
      });
    },
    clear(): void {
      pending = [];
    },
    size: () => pending.length,
  };
}

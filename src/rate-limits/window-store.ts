import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';

import { inBatches } from '../db/batches.js';

/** The units counted on a bucket in one slot of its window. */
export interface SlotUnits {
  readonly bucket: string;
  readonly windowSeconds: number;
  /** The end of the slot's effect, in milliseconds by the database's clock. It identifies the slot. */
  readonly endsAt: number;
  readonly units: number;
}

/** The units counted on buckets of one window, as columns: the bucket, the end of the slot and the units of each row. */
export interface CountedUnits extends Pick<SlotUnits, 'windowSeconds'> {
  readonly buckets: readonly string[];
  readonly endsAt: readonly number[];
  readonly units: readonly number[];
}

/** The counts that replicas publish. Each replica writes rows of its own. */
export interface RateWindowStore {
  now(): Promise<number>;
  /** Writes the total that this replica counted in each slot. Idempotent. */
  publish(counted: CountedUnits): Promise<void>;
  /** Sums the counts of the other replicas, for slots that any of them published since then. */
  fetchSince(time: number): Promise<readonly SlotUnits[]>;
  /** Sums the counts of the other replicas on these buckets. */
  fetchFor(buckets: readonly string[]): Promise<readonly SlotUnits[]>;
}

/** Bounds the work of a second. The latest slots are read first; others when they change again. */
const MAX_FETCHED = 20_000;

const SUMS = `SELECT bucket, window_seconds AS "windowSeconds", sum(units)::float8 AS units,
  (extract(epoch FROM ends_at) * 1000)::float8 AS "endsAt" FROM rate_windows`;
const BY_SLOT = 'GROUP BY bucket, ends_at, window_seconds';

/** perf: cheaper to write and read than an array. No bucket's name holds a line break. */
const lines = (values: readonly (string | number)[]) => values.join('\n');

/**
 * The index holds the time of a change cut to 15 seconds, so that most updates leave it alone (decision 17). The exact
 * time is compared too.
 */
const CHANGED_WITHIN = `interval '15 seconds'`;

/** @param windows the lengths of all windows, in seconds */
export function createRateWindowStore(
  manager: EntityManager,
  windows: readonly number[],
): RateWindowStore {
  // New at each start, so that earlier counts of this process are read as another replica's.
  const replica = randomUUID();
  return {
    async now() {
      const [{ now }] = await manager.query<[{ now: number }]>(
        'SELECT (extract(epoch FROM gatehouse_now()) * 1000)::float8 AS now',
      );
      return now;
    },
    async publish({ windowSeconds, buckets, endsAt, units }) {
      await manager.query(
        // An evicted bucket that was created again may occur twice, and a statement cannot change a row twice.
        `INSERT INTO rate_windows AS known (bucket, ends_at, replica, window_seconds, units, changed_at)
         SELECT bucket, to_timestamp(ends_at / 1000), $1, $2, max(units), gatehouse_now()
         FROM unnest(string_to_array($3, E'\\n'), string_to_array($4, E'\\n')::float8[],
           string_to_array($5, E'\\n')::bigint[]) AS published (bucket, ends_at, units)
         GROUP BY bucket, ends_at
         ON CONFLICT (bucket, ends_at, replica) DO UPDATE
           SET units = greatest(known.units, excluded.units), changed_at = excluded.changed_at`,
        [replica, windowSeconds, lines(buckets), lines(endsAt), lines(units)],
      );
    },
    fetchSince: (time) =>
      manager.query<SlotUnits[]>(
        `${SUMS} WHERE replica <> $1 AND (bucket, ends_at) IN (
           SELECT bucket, ends_at FROM rate_windows
           WHERE window_seconds = ANY ($2::int[]) AND changed_at >= to_timestamp($3::float8 / 1000)
             AND changed_within > to_timestamp($3::float8 / 1000) - ${CHANGED_WITHIN}
             AND replica <> $1 AND ends_at > gatehouse_now()
           ORDER BY changed_at DESC LIMIT ${MAX_FETCHED})
         ${BY_SLOT}`,
        [replica, windows, time],
      ),
    fetchFor: (buckets) =>
      manager.query<SlotUnits[]>(
        `${SUMS} WHERE replica <> $1 AND bucket = ANY (string_to_array($2, E'\\n')) AND ends_at > gatehouse_now()
         ${BY_SLOT}`,
        [replica, lines(buckets)],
      ),
  };
}

/** The largest difference between the clocks of replicas: a slot can be published after its end. */
const GRACE_SECONDS = 10;

/** Deletes slots that left their window. Safe to run on several replicas at once. */
export async function deleteExpiredRateWindows(
  manager: EntityManager,
  windows: readonly number[],
  signal: AbortSignal,
): Promise<number> {
  let total = 0;
  for (const seconds of windows) {
    total += await inBatches(async (limit) => {
      const [{ count }] = await manager.query<[{ count: number }]>(
        `WITH deleted AS (
           DELETE FROM rate_windows WHERE (bucket, ends_at, replica) IN (
             SELECT bucket, ends_at, replica FROM rate_windows
             WHERE window_seconds = $1 AND changed_at <= gatehouse_now() - make_interval(secs => $2)
               AND changed_within <= gatehouse_now() - make_interval(secs => $2)
             LIMIT $3 FOR UPDATE SKIP LOCKED)
           RETURNING 1)
         SELECT count(*)::int AS count FROM deleted`,
        [seconds, seconds + GRACE_SECONDS, limit],
      );
      return count;
    }, signal);
  }
  return total;
}

import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';

import { inBatches } from '../db/batches.js';

/** What was counted on a bucket in one slot of its window. */
export interface SlotUnits {
  readonly bucket: string;
  readonly windowSeconds: number;
  /** When it stops counting, which tells which slot it is: milliseconds by the database's clock. */
  readonly endsAt: number;
  readonly units: number;
}

/** What replicas tell each other of their counts, each in rows of its own. */
export interface RateWindowStore {
  now(): Promise<number>;
  /** Writes what this replica has counted in slots, all of it: telling it again changes nothing. */
  tell(counted: readonly SlotUnits[]): Promise<void>;
  /** What the others together have counted in slots of which any of them told more since then. */
  heardSince(time: number): Promise<readonly SlotUnits[]>;
  /** What the others together have counted on these buckets. */
  heardOf(buckets: readonly string[]): Promise<readonly SlotUnits[]>;
}

/** More than that cannot be dealt with in a second: the latest are, and others when they change again. */
const MAX_HEARD = 20_000;

const SUMS = `SELECT bucket, window_seconds AS "windowSeconds", sum(units)::float8 AS units,
  (extract(epoch FROM ends_at) * 1000)::float8 AS "endsAt" FROM rate_windows`;
const BY_SLOT = 'GROUP BY bucket, ends_at, window_seconds';

/** Costs less to write and read than an array does; no bucket's name holds a line break. */
const lines = (values: readonly (string | number)[]) => values.join('\n');

/** @param windows the lengths of all windows, in seconds */
export function createRateWindowStore(
  manager: EntityManager,
  windows: readonly number[],
): RateWindowStore {
  // Another after each start: what was counted before is then another's.
  const replica = randomUUID();
  return {
    async now() {
      const [{ now }] = await manager.query<[{ now: number }]>(
        'SELECT (extract(epoch FROM gatehouse_now()) * 1000)::float8 AS now',
      );
      return now;
    },
    async tell(counted) {
      await manager.query(
        // A bucket that gave way and came back may be told of twice, and a statement cannot change a row twice.
        `INSERT INTO rate_windows AS known (bucket, ends_at, replica, window_seconds, units, changed_at)
         SELECT bucket, to_timestamp(ends_at / 1000), $1, seconds, max(units), gatehouse_now()
         FROM unnest(string_to_array($2, E'\\n'), string_to_array($3, E'\\n')::float8[],
           string_to_array($4, E'\\n')::int[], string_to_array($5, E'\\n')::bigint[])
           AS told (bucket, ends_at, seconds, units)
         GROUP BY bucket, ends_at, seconds
         ON CONFLICT (bucket, ends_at, replica) DO UPDATE
           SET units = greatest(known.units, excluded.units), changed_at = excluded.changed_at`,
        [
          replica,
          lines(counted.map(({ bucket }) => bucket)),
          lines(counted.map(({ endsAt }) => endsAt)),
          lines(counted.map(({ windowSeconds }) => windowSeconds)),
          lines(counted.map(({ units }) => units)),
        ],
      );
    },
    heardSince: (time) =>
      manager.query<SlotUnits[]>(
        `${SUMS} WHERE replica <> $1 AND (bucket, ends_at) IN (
           SELECT bucket, ends_at FROM rate_windows
           WHERE window_seconds = ANY ($2::int[]) AND changed_at >= to_timestamp($3::float8 / 1000)
             AND replica <> $1 AND ends_at > gatehouse_now()
           ORDER BY changed_at DESC LIMIT ${MAX_HEARD})
         ${BY_SLOT}`,
        [replica, windows, time],
      ),
    heardOf: (buckets) =>
      manager.query<SlotUnits[]>(
        `${SUMS} WHERE replica <> $1 AND bucket = ANY (string_to_array($2, E'\\n')) AND ends_at > gatehouse_now()
         ${BY_SLOT}`,
        [replica, lines(buckets)],
      ),
  };
}

/** Replicas' clocks may differ by so much: what was counted in a slot can be told after its end. */
const GRACE_SECONDS = 10;

/** Throws away what counts no more. */
export async function forgetOldRateWindows(
  manager: EntityManager,
  windows: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  for (const seconds of windows) {
    await inBatches(async (limit) => {
      const [{ count }] = await manager.query<[{ count: number }]>(
        `WITH forgotten AS (
           DELETE FROM rate_windows WHERE (bucket, ends_at, replica) IN (
             SELECT bucket, ends_at, replica FROM rate_windows
             WHERE window_seconds = $1 AND changed_at <= gatehouse_now() - make_interval(secs => $2)
             LIMIT $3 FOR UPDATE SKIP LOCKED)
           RETURNING 1)
         SELECT count(*)::int AS count FROM forgotten`,
        [seconds, seconds + GRACE_SECONDS, limit],
      );
      return count;
    }, signal);
  }
}

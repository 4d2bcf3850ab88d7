import type { EntityManager } from 'typeorm';

import { inBatches } from '../db/batches.js';

/** Units of one slot of one bucket. Times are milliseconds since the epoch, by the database's clock. */
export interface SlotUnits {
  readonly bucket: string;
  readonly windowSeconds: number;
  readonly endsAt: number;
  readonly units: number;
}

/** What replicas tell each other of their counts. */
export interface RateWindowStore {
  now(): Promise<number>;
  /** Adds to what all have counted. */
  add(increments: readonly SlotUnits[]): Promise<void>;
  /** The sums that changed since then, the latest first; not more than can be dealt with in a second. */
  changedSince(time: number): Promise<readonly SlotUnits[]>;
  /** All sums of these buckets that still count. */
  findOf(buckets: readonly string[]): Promise<readonly SlotUnits[]>;
  /** Throws away what counts no more. */
  forgetOld(signal?: AbortSignal): Promise<void>;
}

const MAX_CHANGED = 20_000;

const COLUMNS = `bucket, window_seconds AS "windowSeconds", units::float8 AS units,
  (extract(epoch FROM ends_at) * 1000)::float8 AS "endsAt"`;

export function createRateWindowStore(manager: EntityManager): RateWindowStore {
  return {
    async now() {
      const [{ now }] = await manager.query<[{ now: number }]>(
        'SELECT (extract(epoch FROM gatehouse_now()) * 1000)::float8 AS now',
      );
      return now;
    },
    async add(increments) {
      await manager.query(
        // In one order, so that two replicas cannot wait for each other. One statement cannot change a row twice.
        `INSERT INTO rate_windows AS known (bucket, ends_at, window_seconds, units, changed_at)
         SELECT bucket, to_timestamp(ends_at / 1000), seconds, sum(units), gatehouse_now()
         FROM unnest($1::text[], $2::float8[], $3::int[], $4::bigint[]) AS counted (bucket, ends_at, seconds, units)
         GROUP BY bucket, ends_at, seconds ORDER BY bucket, ends_at
         ON CONFLICT (bucket, ends_at)
           DO UPDATE SET units = known.units + excluded.units, changed_at = excluded.changed_at`,
        [
          increments.map(({ bucket }) => bucket),
          increments.map(({ endsAt }) => endsAt),
          increments.map(({ windowSeconds }) => windowSeconds),
          increments.map(({ units }) => units),
        ],
      );
    },
    changedSince: (time) =>
      manager.query<SlotUnits[]>(
        `SELECT ${COLUMNS} FROM rate_windows
         WHERE changed_at >= to_timestamp($1::float8 / 1000) AND ends_at > gatehouse_now()
         ORDER BY changed_at DESC LIMIT ${MAX_CHANGED}`,
        [time],
      ),
    findOf: (buckets) =>
      manager.query<SlotUnits[]>(
        `SELECT ${COLUMNS} FROM rate_windows
         WHERE bucket = ANY ($1::text[]) AND ends_at > gatehouse_now()`,
        [buckets],
      ),
    forgetOld: (signal) =>
      inBatches(async (limit) => {
        const [{ count }] = await manager.query<[{ count: number }]>(
          `WITH forgotten AS (
             DELETE FROM rate_windows WHERE (bucket, ends_at) IN (
               SELECT bucket, ends_at FROM rate_windows WHERE ends_at <= gatehouse_now()
               LIMIT $1 FOR UPDATE SKIP LOCKED)
             RETURNING 1)
           SELECT count(*)::int AS count FROM forgotten`,
          [limit],
        );
        return count;
      }, signal),
  };
}

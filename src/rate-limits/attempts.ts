import type { EntityManager } from 'typeorm';

/** A number of attempts within a sliding window of seconds. */
export interface AttemptLimit {
  readonly count: number;
  readonly seconds: number;
}

/** Whether an attempt is allowed; if not, the seconds until the next one is. */
export type AttemptVerdict =
  { readonly isAllowed: true } | { readonly isAllowed: false; readonly retryAfterSeconds: number };

/**
 * Strict limits for rare operations. They are counted in PostgreSQL, exactly over all replicas and under parallel
 * attempts. Each bucket stores the times of the attempts within its window, so `count` must be small.
 */
export interface AttemptStore {
  /** Counts an attempt unless the limit is reached. Refused attempts are not counted. */
  take(bucket: string, limit: AttemptLimit): Promise<AttemptVerdict>;
  /** Removes the latest attempt, which turned out not to be subject to the limit. */
  giveBack(bucket: string): Promise<void>;
  /** Deletes all buckets whose window is over. @returns their number */
  deleteExpired(): Promise<number>;
}

const RECENT = `array(SELECT time FROM unnest(known.times) AS time
  WHERE time > gatehouse_now() - make_interval(secs => $3) ORDER BY time)`;

/** @param manager must not belong to a transaction, whose rollback would undo the count */
export function createAttemptStore(manager: EntityManager): AttemptStore {
  return {
    async take(bucket, { count, seconds }) {
      // One statement: the row lock serialises parallel attempts, and a refused one changes nothing.
      const [taken] = await manager.query<object[]>(
        `INSERT INTO attempts AS known (bucket, times, expires_at)
         VALUES ($1, ARRAY[gatehouse_now()], gatehouse_now() + make_interval(secs => $3))
         ON CONFLICT (bucket) DO UPDATE SET times = ${RECENT} || excluded.times, expires_at = excluded.expires_at
           WHERE cardinality(${RECENT}) < $2
         RETURNING 1`,
        [bucket, count, seconds],
      );
      if (taken !== undefined) return { isAllowed: true };
      const [row] = await manager.query<{ wait: number }[]>(
        `SELECT ceil(extract(epoch FROM known.times[cardinality(known.times) - $2 + 1] + make_interval(secs => $3)
           - gatehouse_now()))::int AS wait FROM attempts known WHERE bucket = $1`,
        [bucket, count, seconds],
      );
      return { isAllowed: false, retryAfterSeconds: Math.max(1, row?.wait ?? 1) };
    },
    async giveBack(bucket) {
      await manager.query(
        `UPDATE attempts SET times = trim_array(times, 1) WHERE bucket = $1 AND cardinality(times) > 0`,
        [bucket],
      );
    },
    async deleteExpired() {
      const [, rows] = await manager.query<[unknown, number]>(
        `DELETE FROM attempts WHERE expires_at <= gatehouse_now()`,
      );
      return rows;
    },
  };
}

import type { EntityManager } from 'typeorm';

/** So many attempts within so many seconds, sliding. */
export interface AttemptLimit {
  readonly count: number;
  readonly seconds: number;
}

/** Whether an attempt may continue; if not, when the next one may. */
export type AttemptVerdict =
  { readonly isAllowed: true } | { readonly isAllowed: false; readonly retryAfterSeconds: number };

/**
 * Strict limits for what is rare: counted in PostgreSQL, exact over all replicas and under
 * parallel attempts. Each keeps the times of the attempts within its window, so `count` is meant to be small.
 */
export interface AttemptStore {
  /** Counts an attempt, unless the limit is reached: what is refused does not count. */
  take(bucket: string, limit: AttemptLimit): Promise<AttemptVerdict>;
  /** Takes the latest attempt back: it turned out not to be one of those that are limited. */
  giveBack(bucket: string): Promise<void>;
  /** Forgets all buckets whose window is over. */
  deleteExpired(): Promise<number>;
}

const RECENT = `array(SELECT time FROM unnest(known.times) AS time
  WHERE time > gatehouse_now() - make_interval(secs => $3) ORDER BY time)`;

/** @param manager not a transaction's that may roll back: the attempt would not have counted */
export function createAttemptStore(manager: EntityManager): AttemptStore {
  return {
    async take(bucket, { count, seconds }) {
      // One statement: the row's lock puts parallel attempts in order, and a refused one changes nothing.
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

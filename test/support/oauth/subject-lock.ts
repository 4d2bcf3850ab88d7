import pg from 'pg';

import type { TestDatabase } from '../database/database.js';
import { until } from '../app/until.js';

/** A subject's lock, held by the test: issuing under the subject, or ending it, waits. */
export interface HeldLock {
  /** Does something in the transaction that holds the lock. */
  query(sql: string, values?: unknown[]): Promise<void>;
  /** Waits until so many others wait for this lock. */
  awaited(by?: number): Promise<void>;
  /** Commits, which lets the others continue. */
  release(): Promise<void>;
}

/** @param mode as it is held to end the subject, or to issue under it */
export async function holdLock(
  database: TestDatabase,
  subject: string,
  mode: 'exclusive' | 'shared' = 'exclusive',
): Promise<HeldLock> {
  const client = new pg.Client(database.client);
  await client.connect();
  await client.query('BEGIN');
  const lock = mode === 'exclusive' ? 'pg_advisory_xact_lock' : 'pg_advisory_xact_lock_shared';
  await client.query(`SELECT ${lock}(hashtextextended($1, 0))`, [subject]);
  return {
    async query(sql, values) {
      await client.query(sql, values);
    },
    awaited: (by) => waitersFor(database, subject, by),
    async release() {
      await client.query('COMMIT');
      await client.end();
    },
  };
}

/** Ends a subject under a lock that is held, as `revocation-store` does. */
export function revokeUnder(lock: HeldLock, subject: string): Promise<void> {
  return lock.query(
    `INSERT INTO revocations (subject, seq, reason, revoked_by) VALUES ($1, nextval('issue_order'), 'test', 'test')`,
    [subject],
  );
}

/** Waits until so many wait for a subject's lock, with any holder. */
export async function waitersFor(
  database: TestDatabase,
  subject: string,
  count = 1,
): Promise<void> {
  await until(
    async () => {
      const [row] = await database.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND (classid::bigint << 32) | objid::bigint = hashtextextended($1, 0)`,
        [subject],
      );
      return row !== undefined && row.count >= count;
    },
    { what: `${count} wait for the lock of ${subject}` },
  );
}

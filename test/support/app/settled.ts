import type { TestDatabase } from '../database/database.js';
import { until } from './until.js';

/**
 * Waits until no transaction is open that began before the newest audit entry, in this database or another one of the
 * cluster: readers of the feed of events who continue from ids see an entry only then.
 */
export async function whenSettled(database: Pick<TestDatabase, 'query'>): Promise<void> {
  await until(
    async () => {
      const [row] = await database.query<{ isSettled: boolean }>(
        `SELECT pg_snapshot_xmin(pg_current_snapshot()) > xid AS "isSettled" FROM audit_log
         ORDER BY xid DESC LIMIT 1`,
      );
      return row?.isSettled;
    },
    { withinMs: 30_000 },
  );
}

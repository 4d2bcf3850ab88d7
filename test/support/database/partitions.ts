import { PARTITIONED_TABLES } from '../../../src/db/partitions.js';
import type { TestDatabase } from './database.js';

/** The newest partition of each partitioned table. */
export async function newestPartitions(database: TestDatabase): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    `SELECT max(inhrelid::regclass::text) AS name FROM pg_inherits
     WHERE inhparent = ANY ($1::regclass[]) GROUP BY inhparent ORDER BY 1`,
    [PARTITIONED_TABLES.map(({ name }) => name)],
  );
  return rows.map(({ name }) => name);
}

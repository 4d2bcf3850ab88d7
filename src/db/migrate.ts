import type { DataSource } from 'typeorm';

import { MIGRATIONS } from '../../migrations/index.js';

/** Any number that nothing else locks. */
const MIGRATION_LOCK = 7_305_804_385;

/**
 * Runs `work` while no other process of this database does the same. For what must happen once:
 * migrating, and filling an empty database.
 *
 * @param dataSource of the pace `startup`: waiting for another's migration can take long
 */
export async function alone<Result>(
  dataSource: DataSource,
  work: () => Promise<Result>,
): Promise<Result> {
  const runner = dataSource.createQueryRunner();
  await runner.connect();
  try {
    await runner.query(`SELECT pg_advisory_lock($1)`, [MIGRATION_LOCK]);
    return await work();
  } finally {
    await runner.query(`SELECT pg_advisory_unlock($1)`, [MIGRATION_LOCK]).catch(() => undefined);
    await runner.release();
  }
}

/** Whether the database has every migration that this program knows. */
export async function isMigrated(dataSource: DataSource): Promise<boolean> {
  const rows = await dataSource.query<{ name: string }[]>(`SELECT name FROM migrations`);
  const done = new Set(rows.map(({ name }) => name));
  return MIGRATIONS.every(({ name }) => done.has(name));
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource, QueryRunner } from 'typeorm';

import { MIGRATIONS } from '../../migrations/index.js';

/** Any number that nothing else locks. */
export const MIGRATION_LOCK = 7_305_804_385;
const LOOK_EVERY_MS = 200;

/**
 * Runs `work` while no other process of this database does the same. For what must happen once:
 * migrating, and filling an empty database.
 *
 * @param dataSource of the pace `startup`: migrating can take long
 * @param signal ends the waiting for another process
 * @throws the signal's reason if it is aborted before the work has begun
 */
export async function alone<Result>(
  dataSource: DataSource,
  work: () => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  const runner = dataSource.createQueryRunner();
  await runner.connect();
  try {
    await takeLock(runner, signal);
    try {
      return await work();
    } finally {
      await runner.query(`SELECT pg_advisory_unlock($1)`, [MIGRATION_LOCK]).catch(() => undefined);
    }
  } finally {
    await runner.release();
  }
}

/** Asks again and again: a wait inside PostgreSQL could not be ended from here. */
async function takeLock(runner: QueryRunner, signal: AbortSignal | undefined): Promise<void> {
  for (;;) {
    signal?.throwIfAborted();
    const [row] = await runner.manager.query<[{ locked: boolean }]>(
      `SELECT pg_try_advisory_lock($1) AS locked`,
      [MIGRATION_LOCK],
    );
    if (row.locked) return;
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Whether the database has every migration that this program knows. */
export async function isMigrated(dataSource: DataSource): Promise<boolean> {
  const rows = await dataSource.query<{ name: string }[]>(`SELECT name FROM migrations`);
  const done = new Set(rows.map(({ name }) => name));
  return MIGRATIONS.every(({ name }) => done.has(name));
}

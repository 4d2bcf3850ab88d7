import { setTimeout as sleep } from 'node:timers/promises';
import { Migration, MigrationExecutor, type DataSource, type QueryRunner } from 'typeorm';

import { MIGRATIONS } from '../../migrations/index.js';
import { suspendAutovacuum } from './autovacuum.js';
import { takeLocks } from './lock-holders.js';
import { runDespiteLocks, type MigrationLog } from './lock-wait.js';
import { StartupError } from './startup-error.js';

/** The key of an advisory lock, used for nothing else. */
export const MIGRATION_LOCK = 7_305_804_385;
const POLL_EVERY_MS = 200;
const LOG_AFTER_MS = 2000;

interface Options {
  readonly log: MigrationLog;
  /** Stops waiting for other processes. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits until no other process holds the migration lock, and takes it. It serialises migrations and the seeding of
 * an empty database.
 *
 * @param dataSource of the pace `startup`, since migrations have no timeout
 * @returns releases the lock
 * @throws the signal's reason if it is aborted before the lock is held
 */
export async function takeMigrationLock(
  dataSource: DataSource,
  { log, signal }: Options,
): Promise<() => Promise<void>> {
  const runner = dataSource.createQueryRunner();
  await runner.connect();
  try {
    await lock(runner, { log, signal });
  } catch (error) {
    await runner.release();
    throw error;
  }
  return async () => {
    await runner.query(`SELECT pg_advisory_unlock($1)`, [MIGRATION_LOCK]).catch(() => undefined);
    await runner.release();
  };
}

/** Polls, because a wait inside PostgreSQL could not be aborted by the signal. */
async function lock(runner: QueryRunner, { log, signal }: Options): Promise<void> {
  const started = performance.now();
  for (let hasLogged = false; ;) {
    signal?.throwIfAborted();
    const [row] = await runner.manager.query<[{ locked: boolean }]>(
      `SELECT pg_try_advisory_lock($1) AS locked`,
      [MIGRATION_LOCK],
    );
    if (row.locked) return;
    if (!hasLogged && performance.now() - started > LOG_AFTER_MS) {
      log.info({}, 'waiting for another process that migrates the database');
      hasLogged = true;
    }
    await sleep(POLL_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/**
 * Runs the migrations that the database lacks, oldest first. While one waits for a lock, other queries queue behind
 * it for half a second, or up to two if attempts fail, so that replicas of an older release keep serving.
 *
 * The caller must hold the migration lock.
 *
 * @returns the names of the migrations that ran
 * @throws the signal's reason if it is aborted while waiting for a lock
 */
export async function migrate(dataSource: DataSource, options: Options): Promise<string[]> {
  return withExecutor(dataSource, async (executor, runner) => {
    const pending = await executor.getPendingMigrations();
    for (const migration of pending) {
      await alter({ dataSource, runner, migration, options }, async () => {
        await executor.executeMigration(migration);
        await declare(runner);
      });
      options.log.info({ migration: migration.name }, 'migrated');
    }
    return pending.map(({ name }) => name);
  });
}

/**
 * Reverts the migrations after a target, the latest first. The caller must hold the migration lock.
 *
 * @param target the class name of a migration, or the number at the beginning of its file name
 * @returns the names of the reverted migrations
 * @throws StartupError if this program does not know the target or a migration to revert
 */
export async function migrateDownTo(
  dataSource: DataSource,
  target: string,
  options: Options,
): Promise<string[]> {
  return withExecutor(dataSource, async (executor, runner) => {
    const undone = await findLater(executor, listKnown(dataSource), target);
    for (const migration of undone) {
      await alter({ dataSource, runner, migration, options }, async () => {
        await migration.instance?.down(runner);
        await runner.query('DELETE FROM migrations WHERE name = $1', [migration.name]);
        if (await hasDeclarations(runner)) {
          await runner.query('DELETE FROM migration_declarations WHERE name = $1', [
            migration.name,
          ]);
        }
      });
      options.log.info({ migration: migration.name }, 'migrated down');
    }
    return undone.map(({ name }) => name);
  });
}

function listKnown(dataSource: DataSource): readonly Migration[] {
  return dataSource.migrations.map((instance) => {
    const { name } = instance.constructor;
    return new Migration(undefined, Number(name.slice(-13)), name, instance);
  });
}

async function findLater(
  executor: MigrationExecutor,
  known: readonly Migration[],
  target: string,
): Promise<Migration[]> {
  const last = known.find(({ name, timestamp }) => [name, String(timestamp)].includes(target));
  if (last === undefined) throw new StartupError(`This release knows no migration ${target}.`);
  const applied = await executor.getExecutedMigrations();
  if (!applied.some(({ name }) => name === last.name)) {
    throw new StartupError(`The database does not have the migration ${last.name}.`);
  }
  return applied
    .filter(({ timestamp }) => timestamp > last.timestamp)
    .sort((one, other) => other.timestamp - one.timestamp)
    .map(({ name }) => {
      const migration = known.find((candidate) => candidate.name === name);
      if (migration !== undefined) return migration;
      throw new StartupError(`Only the newer release that brought ${name} can undo it.`);
    });
}

async function withExecutor<Result>(
  dataSource: DataSource,
  work: (executor: MigrationExecutor, runner: QueryRunner) => Promise<Result>,
): Promise<Result> {
  const runner = dataSource.createQueryRunner();
  await runner.connect();
  try {
    return await work(new MigrationExecutor(dataSource, runner), runner);
  } finally {
    await runner.release();
  }
}

interface Step {
  readonly dataSource: DataSource;
  readonly runner: QueryRunner;
  readonly migration: Migration;
  readonly options: Options;
}

/** Runs one migration up or down, in a transaction unless the migration declares `transaction = false`. */
async function alter(
  { dataSource, runner, migration, options }: Step,
  change: () => Promise<void>,
): Promise<void> {
  const inTransaction = migration.instance?.transaction !== false;
  await runner.query('SET lock_timeout = 0');
  await runner.query('SET statement_timeout = 0');
  await runDespiteLocks({
    dataSource,
    runner,
    name: migration.name,
    log: options.log,
    signal: options.signal,
    async run({ maxWaitMs, locks }) {
      await transact(runner, async () => {
        await suspendAutovacuum(runner);
        if (!inTransaction) return;
        await runner.query(`SET LOCAL lock_timeout = ${maxWaitMs}`);
        await takeLocks(runner, locks);
        await change();
      });
      if (!inTransaction) await change();
    },
  });
}

async function transact(runner: QueryRunner, work: () => Promise<void>): Promise<void> {
  await runner.startTransaction();
  try {
    await work();
    await runner.commitTransaction();
  } catch (error) {
    await runner.rollbackTransaction().catch(() => undefined);
    throw error;
  }
}

/** Stores the `olderPrograms` declarations of the applied migrations, once their table exists. */
async function declare(runner: QueryRunner): Promise<void> {
  if (!(await hasDeclarations(runner))) return;
  const declarations = MIGRATIONS.flatMap((migration) => {
    const instance = new migration();
    return 'olderPrograms' in instance
      ? [{ name: migration.name, older: instance.olderPrograms }]
      : [];
  });
  await runner.query(
    `INSERT INTO migration_declarations (name, older_programs)
     SELECT declared.name, declared.older FROM unnest($1::text[], $2::text[]) AS declared (name, older)
     WHERE declared.name IN (SELECT name FROM migrations) ON CONFLICT DO NOTHING`,
    [declarations.map(({ name }) => name), declarations.map(({ older }) => older)],
  );
}

async function hasDeclarations(runner: QueryRunner): Promise<boolean> {
  const [row] = await runner.manager.query<[{ exists: boolean }]>(
    `SELECT to_regclass('migration_declarations') IS NOT NULL AS exists`,
  );
  return row.exists;
}

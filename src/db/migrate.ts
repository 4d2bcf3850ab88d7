import { setTimeout as sleep } from 'node:timers/promises';
import { Migration, MigrationExecutor, type DataSource, type QueryRunner } from 'typeorm';

import { MIGRATIONS } from '../../migrations/index.js';
import { MAX_WAIT_MS, runPatiently, type MigrationLog } from './lock-wait.js';
import { StartupError } from './startup-error.js';

/** Any number that nothing else locks. */
export const MIGRATION_LOCK = 7_305_804_385;
const LOOK_EVERY_MS = 200;
const SAY_AFTER_MS = 2000;

interface Options {
  readonly log: MigrationLog;
  /** Ends the waiting for other processes. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits until no other process of this database holds the lock, and takes it. It is for what must happen
 * once: migrating, and filling an empty database.
 *
 * @param dataSource of the pace `startup`: migrating can take long
 * @returns what releases the lock
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

/** Asks again and again: a wait inside PostgreSQL could not be ended from here. */
async function lock(runner: QueryRunner, { log, signal }: Options): Promise<void> {
  const started = performance.now();
  for (let hasSaid = false; ;) {
    signal?.throwIfAborted();
    const [row] = await runner.manager.query<[{ locked: boolean }]>(
      `SELECT pg_try_advisory_lock($1) AS locked`,
      [MIGRATION_LOCK],
    );
    if (row.locked) return;
    if (!hasSaid && performance.now() - started > SAY_AFTER_MS) {
      log.info({}, 'waiting for another process that migrates the database');
      hasSaid = true;
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/**
 * Runs the migrations that the database lacks, oldest first. Where one waits for a lock, nothing queues behind
 * it for longer than two seconds: replicas of an older release go on serving meanwhile.
 *
 * Call it with the migration lock held.
 *
 * @returns the names of those that were run
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
 * Undoes what was migrated after a migration, the latest first. Call it with the migration lock held.
 *
 * @param target the class name of a migration, or the number that it begins with in its file's name
 * @returns the names of those that were undone
 * @throws StartupError if this program does not know the target, or one that would have to be undone
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

/** Runs one migration up or down: in a transaction unless it says otherwise. */
async function alter(
  { dataSource, runner, migration, options }: Step,
  change: () => Promise<void>,
): Promise<void> {
  const inTransaction = migration.instance?.transaction !== false;
  // Outside of a transaction there are only statements that wait without anybody queueing behind them.
  await runner.query(`SET lock_timeout = ${inTransaction ? MAX_WAIT_MS : 0}`);
  await runner.query('SET statement_timeout = 0');
  await runPatiently({
    dataSource,
    runner,
    name: migration.name,
    holdsUpOthers: inTransaction,
    log: options.log,
    signal: options.signal,
    run: () => (inTransaction ? transact(runner, change) : change()),
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

/** Notes what the migrations that were run declare to older programs, as soon as there is a table for it. */
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

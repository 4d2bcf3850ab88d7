import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';

import type { Config } from '../config.js';
import { createKeyring, type Keyring } from '../credentials/index.js';
import { assertSecretKeysPresent } from './secret-key-usage.js';
import { readOrCreateSecretKeys } from './secret-keys-file.js';
import { describeTarget } from '../db/connection.js';
import { createDataSource, type DatabaseTarget } from '../db/data-source.js';
import { warnOfLosableCommits } from '../db/durability.js';
import { startEmbeddedPostgres } from '../db/embedded/embedded-postgres.js';
import { isInstalled } from '../db/embedded/record.js';
import { migrate, takeMigrationLock } from '../db/migrate.js';
import { asStartupError, openDataSource } from '../db/open.js';
import { makePartitions } from '../db/partitions.js';
import { assertNotRestricted, readSchemaState, type SchemaState } from '../db/schema-state.js';
import { StartupError } from '../db/startup-error.js';
import { ENTITIES } from './entities.js';

/** The part of an instance that the server and the command line share. */
export interface Instance {
  readonly target: DatabaseTarget;
  readonly dataSource: DataSource;
  readonly keyring: Keyring;
  close(): Promise<void>;
}

/** The instance of a server. */
export interface ServerInstance extends Instance {
  /** The configured or generated `SECRET_KEYS`. */
  readonly secretKeys: readonly string[];
  /** Releases the migration lock if `seed` returned true, so that other processes start. Idempotent. */
  letOthersStart(): Promise<void>;
}

/** The instance of a command. */
export interface BorrowedInstance extends Instance {
  /** The state of the schema, as of the opening. */
  readonly schema: SchemaState;
}

/**
 * The schema that a command needs. `current`: all migrations. `any`: an installation, which may lack migrations. `none`: a
 * database.
 */
export type NeededSchema = 'current' | 'any' | 'none';

interface Opened {
  readonly target: DatabaseTarget;
  readonly stop: () => Promise<void>;
}

/**
 * Opens the database for a server (the configured one, or the embedded one of the data directory),
 * migrates it and checks that the secret keys fit what it holds. An embedded one is kept to itself.
 *
 * @param whileOpening work of the process that takes place beside the start of the embedded database, and before the first
 *   session begins: a database may end sessions that wait
 * @param seed writes the first rows of an empty database, under the migration lock. If it returns true, the lock
 *   is held until `letOthersStart`
 * @param signal ends the opening: nothing is left open then
 * @throws StartupError for every fault that the operator has to fix, the signal's reason if aborted
 */
export async function openInstance({
  config,
  log,
  whileOpening,
  seed,
  signal,
}: {
  config: Config;
  log: Logger;
  whileOpening?: (() => Promise<void>) | undefined;
  seed: (dataSource: DataSource, keyring: Keyring) => Promise<boolean>;
  signal?: AbortSignal;
}): Promise<ServerInstance> {
  const opening = openDatabase(config, 'serve', log);
  const [{ target, stop }] = await Promise.all([opening, whileOpening?.()]);
  const onError = (error: Error) => log.warn({ err: error }, 'a database connection broke');
  const poolSize = config.DATABASE_POOL_SIZE;
  const dataSource = createDataSource(target, ENTITIES, onError, 'request', poolSize);
  const starting = createDataSource(target, ENTITIES, onError, 'startup');
  // The lock is held by a connection of it.
  const letOthersStart = async () => {
    if (starting.isInitialized) await starting.destroy();
  };
  const close = async () => {
    await letOthersStart();
    if (dataSource.isInitialized) await dataSource.destroy();
    await stop();
  };
  try {
    signal?.throwIfAborted();
    const secretKeys = config.SECRET_KEYS ?? (await readOrCreateSecretKeys(config.DATA_DIR));
    const keyring = createKeyring(secretKeys);
    await openDataSource(starting, target, 'serve');
    await takeMigrationLock(starting, { log, signal });
    await prepareSchema(starting, log, signal);
    await assertSecretKeysPresent(starting, keyring);
    signal?.throwIfAborted();
    if (!(await seed(starting, keyring))) await letOthersStart();
    await dataSource.initialize();
    await warnOfLosableCommits(dataSource, log);
    return { target, dataSource, keyring, secretKeys, letOthersStart, close };
  } catch (error) {
    await close();
    throw asStartupError(error, target);
  }
}

/**
 * Opens the database for a worker of a server that has opened the instance.
 * @throws StartupError if the database is not reachable
 */
export async function joinInstance(
  { target, secretKeys }: Pick<ServerInstance, 'target' | 'secretKeys'>,
  { config, log }: { config: Config; log: Logger },
): Promise<Instance> {
  const onError = (error: Error) => log.warn({ err: error }, 'a database connection broke');
  const dataSource = createDataSource(
    target,
    ENTITIES,
    onError,
    'request',
    config.DATABASE_POOL_SIZE,
  );
  await openDataSource(dataSource, target, 'share');
  const close = () => dataSource.destroy();
  return { target, dataSource, keyring: createKeyring(secretKeys), close };
}

async function prepareSchema(
  dataSource: DataSource,
  log: Logger,
  signal: AbortSignal | undefined,
): Promise<void> {
  const state = await readSchemaState(dataSource);
  assertNotRestricted(state);
  if (state.compatible.length > 0) {
    const newer = state.compatible;
    log.warn({ newer }, 'a newer release migrated the database; this one may serve it');
  }
  await migrate(dataSource, { log, signal });
  await makePartitions(dataSource);
}

/**
 * Opens the database for a command, beside servers that use it. Creates and migrates nothing, and does not wait for a
 * starting server.
 *
 * @throws StartupError for every fault that the operator has to fix
 */
export async function shareInstance({
  config,
  log,
  needs,
}: {
  config: Config;
  log: Logger;
  needs: NeededSchema;
}): Promise<BorrowedInstance> {
  if (config.DATABASE_URL === undefined && !(await isInstalled(config.DATA_DIR))) {
    throw new StartupError(
      `There is no installation at ${config.DATA_DIR}: check DATA_DIR, or make one with \`npm start\`.`,
    );
  }
  const { target, stop } = await openDatabase(config, 'share', log);
  const onError = (error: Error) => log.warn({ err: error }, 'a database connection broke');
  const dataSource = createDataSource(target, ENTITIES, onError);
  const close = async () => {
    if (dataSource.isInitialized) await dataSource.destroy();
    await stop();
  };
  try {
    await openDataSource(dataSource, target, 'share');
    const schema = await readSchemaState(dataSource);
    assertFits(schema, needs, describeTarget(target));
    const keyring = createKeyring(
      config.SECRET_KEYS ?? (await readOrCreateSecretKeys(config.DATA_DIR)),
    );
    if (needs === 'current') await assertSecretKeysPresent(dataSource, keyring);
    return { target, dataSource, keyring, schema, close };
  } catch (error) {
    await close();
    throw asStartupError(error, target);
  }
}

function assertFits(schema: SchemaState, needs: NeededSchema, address: string): void {
  if (needs === 'none') return;
  if (schema.isEmpty) {
    throw new StartupError(
      `There is no installation in the database at ${address}: check DATABASE_URL, or make one with \`npm start\`.`,
    );
  }
  assertNotRestricted(schema);
  if (needs === 'current' && schema.pending.length > 0) throw lacksMigrations(schema);
}

/** The error of a command that needs missing migrations. */
export function lacksMigrations({ pending }: SchemaState): StartupError {
  return new StartupError(
    `The database lacks migrations of this release (${pending.join(', ')}): use the command line of the release that serves it, or run \`npm run -s cli -- migrate\`.`,
  );
}

async function openDatabase(config: Config, mode: 'serve' | 'share', log: Logger): Promise<Opened> {
  if (config.DATABASE_URL !== undefined) {
    return {
      target: { connectionString: config.DATABASE_URL },
      stop: () => Promise.resolve(),
    };
  }
  const embedded = await startEmbeddedPostgres({ dataDir: config.DATA_DIR, mode, log });
  return { target: embedded.connection, stop: () => embedded.stop() };
}

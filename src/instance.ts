import pg from 'pg';
import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';

import type { Config } from './config.js';
import { createKeyring, type Keyring } from './credentials/keyring.js';
import { assertSecretKeysPresent } from './credentials/secret-key-usage.js';
import { readOrCreateSecretKeys } from './credentials/secret-keys-file.js';
import { createDataSource, type DatabaseTarget } from './db/data-source.js';
import { startEmbeddedPostgres } from './db/embedded/embedded-postgres.js';
import { errorCode, errorMessage } from './db/errors.js';
import { alone } from './db/migrate.js';
import { makePartitions } from './db/partitions.js';
import { StartupError } from './db/startup-error.js';
import { ENTITIES } from './entities.js';

/** The part of a Gatehouse that the server and the command line have in common. */
export interface Instance {
  readonly target: DatabaseTarget;
  readonly dataSource: DataSource;
  readonly keyring: Keyring;
  close(): Promise<void>;
}

const OLDEST_POSTGRES = 150_000;

/**
 * Opens the database (the configured one, or the embedded one of the data directory), migrates it
 * and checks that the secret keys fit what it holds.
 *
 * @param mode `serve` keeps an embedded database to itself; `borrow` shares it with a server
 * @param fill run once nobody else is starting: what an empty database should hold
 * @param signal ends the opening: nothing is left open then
 * @throws StartupError for everything the operator has to mend, the signal's reason if aborted
 */
export async function openInstance({
  config,
  mode,
  log,
  fill = () => Promise.resolve(),
  signal,
}: {
  config: Config;
  mode: 'serve' | 'borrow';
  log: Logger;
  fill?: (dataSource: DataSource, keyring: Keyring) => Promise<void>;
  signal?: AbortSignal;
}): Promise<Instance> {
  const { target, stop } = await openDatabase(config, mode, log);
  const onError = (error: Error) => log.warn({ err: error }, 'a database connection broke');
  const dataSource = createDataSource(target, ENTITIES, onError);
  const close = async () => {
    if (dataSource.isInitialized) await dataSource.destroy();
    await stop();
  };
  try {
    signal?.throwIfAborted();
    const keyring = createKeyring(
      config.SECRET_KEYS ?? (await readOrCreateSecretKeys(config.DATA_DIR)),
    );
    const starting = createDataSource(target, ENTITIES, onError, 'startup');
    await connect(starting, target);
    try {
      const prepare = async () => {
        await starting.runMigrations();
        await makePartitions(starting);
        await assertSecretKeysPresent(starting, keyring);
        signal?.throwIfAborted();
        await fill(starting, keyring);
      };
      await alone(starting, prepare, signal);
    } finally {
      await starting.destroy();
    }
    await connect(dataSource, target);
    return { target, dataSource, keyring, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openDatabase(
  config: Config,
  mode: 'serve' | 'borrow',
  log: Logger,
): Promise<{ target: DatabaseTarget; stop: () => Promise<void> }> {
  if (config.DATABASE_URL !== undefined) {
    return {
      target: { connectionString: config.DATABASE_URL },
      stop: () => Promise.resolve(),
    };
  }
  const embedded = await startEmbeddedPostgres({ dataDir: config.DATA_DIR, mode, log });
  return { target: embedded.connection, stop: () => embedded.stop() };
}

async function connect(dataSource: DataSource, target: DatabaseTarget): Promise<void> {
  try {
    await dataSource.initialize();
  } catch (error) {
    const reason = describe(error);
    throw new StartupError(`The database at ${addressOf(target)} cannot be used: ${reason}.`, {
      cause: error,
    });
  }
  const [row] = await dataSource.query<[{ number: string; version: string; standby: boolean }]>(
    `SELECT current_setting('server_version_num') AS number,
       current_setting('server_version') AS version, pg_is_in_recovery() AS standby`,
  );
  if (Number(row.number) < OLDEST_POSTGRES) {
    throw new StartupError(`PostgreSQL 15 or later is needed; this one is ${row.version}.`);
  }
  // It lags behind the primary, and would still accept what was just revoked there.
  if (row.standby) throw new StartupError('DATABASE_URL names a standby; the primary is needed.');
}

function describe(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(errorMessage).join('; ');
  return errorMessage(error) || (errorCode(error) ?? 'unknown reason');
}

/** Without user and password. */
function addressOf(target: DatabaseTarget): string {
  const { host, port, database } = new pg.Client(target);
  return `${host}:${port}/${database}`;
}

import 'reflect-metadata';
import type pg from 'pg';
import { DataSource, type EntitySchema } from 'typeorm';

import { MIGRATIONS } from '../../migrations/index.js';

/** Where the database is: a `postgres://` URL, or its parts (a host that starts with `/` is a socket folder). */
export type DatabaseTarget =
  | { readonly connectionString: string }
  | {
      readonly host: string;
      readonly port: number;
      readonly user: string;
      readonly password: string;
      readonly database: string;
    };

/** An entity class, as TypeORM takes it. */
export type EntityClass = Function | EntitySchema;

const CONNECTIONS = 10;
const CONNECT_TIMEOUT_MS = 3000;
/** On the server's side, so that abandoned work ends too. */
const TIMEOUTS = {
  statement_timeout: 15_000,
  lock_timeout: 5000,
  idle_in_transaction_session_timeout: 30_000,
};

/** The data source for everything but verification, not yet connected. */
export function createDataSource(
  target: DatabaseTarget,
  entities: readonly EntityClass[],
  onError: (error: Error) => void,
): DataSource {
  return new DataSource({
    type: 'postgres',
    entities: [...entities],
    migrations: MIGRATIONS,
    migrationsTableName: 'migrations',
    migrationsTransactionMode: 'each',
    applicationName: 'gatehouse',
    poolErrorHandler: onError,
    extra: {
      ...target,
      ...TIMEOUTS,
      max: CONNECTIONS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
    } satisfies pg.PoolConfig,
  });
}

import 'reflect-metadata';
import type pg from 'pg';
import { DataSource, type EntitySchema } from 'typeorm';

import { MIGRATIONS } from '../../migrations/index.js';
import { createImpatientSocket, tolerateBreaking } from './connection.js';

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
/** On ours, in case the server's side hangs: longer than any statement may take. */
const PATIENCE_MS = 17_000;

/**
 * The data source for everything but verification, not yet connected.
 *
 * @param pace `request`: everything ends within seconds, one way or the other. `startup`: migrating,
 *   and waiting for another's migration, takes as long as it takes
 */
export function createDataSource(
  target: DatabaseTarget,
  entities: readonly EntityClass[],
  onError: (error: Error) => void,
  pace: 'request' | 'startup' = 'request',
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
      max: CONNECTIONS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      onConnect: tolerateBreaking,
      ...(pace === 'request' && {
        ...TIMEOUTS,
        stream: () => createImpatientSocket(PATIENCE_MS),
      }),
    } satisfies pg.PoolConfig,
  });
}

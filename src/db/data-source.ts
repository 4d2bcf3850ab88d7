import 'reflect-metadata';
import type pg from 'pg';
import { DataSource, type EntitySchema } from 'typeorm';

import { MIGRATIONS } from '../../migrations/index.js';
import { connectionOptions, createImpatientSocket, type DatabaseTarget } from './connection.js';
import type { SessionKind } from './session.js';
import { createStandbyWatch, type StandbyWatch } from './standby-watch.js';

export type { DatabaseTarget } from './connection.js';

/** An entity class, as TypeORM takes it. */
export type EntityClass = Function | EntitySchema;

const DEFAULT_POOL_SIZE = 10;
const CONNECT_TIMEOUT_MS = 3000;
/** Longer than the server's statement timeout, for a server that hangs. */
const PATIENCE_MS = 17_000;

const WATCHES = new WeakMap<DataSource, StandbyWatch>();

/**
 * Creates the data source for everything except verification. It is not connected yet.
 *
 * @param onError called for connections that broke while idle, and for commits that wait for a standby
 * @param pace `request`: with timeouts of seconds. `startup`: without timeouts, for migrations and for waiting for
 *   another process's migration
 * @param poolSize the maximum number of connections
 */
export function createDataSource(
  target: DatabaseTarget,
  entities: readonly EntityClass[],
  onError: (error: Error) => void,
  pace: Exclude<SessionKind, 'verifier'> = 'request',
  poolSize = DEFAULT_POOL_SIZE,
): DataSource {
  const watch = createStandbyWatch(poolSize, onError);
  const dataSource = new DataSource({
    type: 'postgres',
    entities: [...entities],
    migrations: MIGRATIONS,
    migrationsTableName: 'migrations',
    migrationsTransactionMode: 'each',
    applicationName: 'gatehouse',
    poolErrorHandler: onError,
    extra: {
      ...connectionOptions(target, { kind: pace, judge: watch.judge }),
      max: poolSize,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      ...(pace === 'request' && { stream: () => createImpatientSocket(PATIENCE_MS) }),
    } satisfies pg.PoolConfig,
  });
  WATCHES.set(dataSource, watch);
  return dataSource;
}

/** The state of a data source's pool, for the metrics. */
export function poolStateOf(dataSource: DataSource): {
  readonly idle: number;
  readonly busy: number;
  readonly waiting: number;
  readonly max: number;
  readonly commitsAwaitingStandby: number;
} {
  const { master } = dataSource.driver as unknown as { readonly master?: pg.Pool };
  return {
    idle: master?.idleCount ?? 0,
    busy: (master?.totalCount ?? 0) - (master?.idleCount ?? 0),
    waiting: master?.waitingCount ?? 0,
    max: master?.options.max ?? 0,
    commitsAwaitingStandby: WATCHES.get(dataSource)?.waitingCommits() ?? 0,
  };
}

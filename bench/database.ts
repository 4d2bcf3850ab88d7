import { spawnSync } from 'node:child_process';
import pg from 'pg';

import { createDataSource } from '../src/db/data-source.js';
import { migrate } from '../src/db/migrate.js';
import { maintainPartitions } from '../src/db/partitions.js';
import { ENTITIES } from '../src/server/entities.js';
import type { TemporaryPostgres } from '../test/support/database/temporary-postgres.js';
import { CORES } from './processes.js';

/** Where a benchmark's database is. */
export type Target = TemporaryPostgres['connection'];

/** A new database of the server, migrated. */
export async function createDatabase(
  { connection }: TemporaryPostgres,
  database: string,
): Promise<Target> {
  const client = new pg.Client(connection);
  await client.connect();
  await client.query(`CREATE DATABASE ${database}`);
  await client.end();
  const target = { ...connection, database };
  const dataSource = await createDataSource(
    target,
    ENTITIES,
    console.error,
    'startup',
  ).initialize();
  await migrate(dataSource, { log: { info: () => undefined, warn: console.warn } });
  await maintainPartitions(dataSource);
  await dataSource.destroy();
  return target;
}

/** Its address, for `DATABASE_URL`. */
export function urlOf({ host, port, user, password, database }: Target): string {
  return `postgres://${user}:${password}@/${database}?host=${encodeURIComponent(host)}&port=${port}`;
}

/** The server and what it has started so far; backends to come inherit it. */
export function pinDatabase(directory: string): void {
  const find = (...by: string[]) =>
    spawnSync('pgrep', by, { encoding: 'utf8' }).stdout.split('\n').filter(Boolean);
  const servers = find('-f', directory);
  for (const pid of [...servers, ...servers.flatMap((server) => find('-P', server))]) {
    spawnSync('taskset', ['-a', '-cp', CORES.rest, pid]);
  }
}

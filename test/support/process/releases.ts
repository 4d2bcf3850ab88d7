import pg from 'pg';
import type { DataSource } from 'typeorm';

import { createDataSource } from '../../../src/db/data-source.js';
import { migrateDownTo } from '../../../src/db/migrate.js';
import { ENTITIES } from '../../../src/server/entities.js';
import type { TestDatabase } from '../database/database.js';

/** The last migration of the release before migrations declared anything. */
export const EARLIER_RELEASE = 'ImportedKeys1763840000000';

export const QUIET = { info: () => undefined, warn: () => undefined };

/** A migration's log, and the lines that it collects. */
export function createMigrationLog() {
  const lines: { at: object; message: string }[] = [];
  const add = (at: object, message: string) => void lines.push({ at, message });
  return { lines, log: { info: add, warn: add } };
}

/** A data source that may take long, as a start's. */
export function openForMigrating({ target }: TestDatabase): Promise<DataSource> {
  return createDataSource(target, ENTITIES, () => undefined, 'startup').initialize();
}

/** Takes a migrated database back to an earlier schema. */
export async function downTo(database: TestDatabase, migration: string): Promise<void> {
  const dataSource = await openForMigrating(database);
  await migrateDownTo(dataSource, migration, { log: QUIET });
  await dataSource.destroy();
}

/**
 * Reads as `pg_dump` does: one transaction that holds a lock on each table, and a snapshot, to its end.
 *
 * @param tables all by default
 * @returns what ends it
 */
export async function readLikeDump(
  { client: options }: TestDatabase,
  tables?: readonly string[],
): Promise<() => Promise<void>> {
  const client = new pg.Client({ ...options, application_name: 'pg_dump' });
  await client.connect();
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  const { rows } = await client.query<{ name: string }>(
    `SELECT oid::regclass::text AS name FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')`,
  );
  const names = tables ?? rows.map(({ name }) => name);
  await client.query(`LOCK TABLE ${names.join(', ')} IN ACCESS SHARE MODE`);
  return () => client.end();
}

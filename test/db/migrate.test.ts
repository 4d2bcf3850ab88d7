import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource, MigrationInterface } from 'typeorm';

import { MIGRATIONS } from '../../migrations/index.js';
import { migrate, migrateDownTo } from '../../src/db/migrate.js';
import { readSchemaState } from '../../src/db/schema-state.js';
import { createTestApp, type TestApp } from '../support/app/app.js';
import { schemaOf } from '../support/database/schema.js';
import {
  createMigrationLog,
  downTo,
  EARLIER_RELEASE,
  openForMigrating,
  QUIET,
  readLikeDump,
} from '../support/process/releases.js';
import { until } from '../support/app/until.js';

let gatehouse: TestApp;
let dataSource: DataSource;
beforeEach(async () => {
  gatehouse = await createTestApp();
  dataSource = await openForMigrating(gatehouse.database);
});
afterEach(async () => {
  await dataSource.destroy();
  await gatehouse.close();
});

describe('a migration beside a reader that holds locks as pg_dump does', () => {
  it('stops waiting at a signal, and finishes at the next run', async () => {
    await downTo(gatehouse.database, EARLIER_RELEASE);
    const endReading = await readLikeDump(gatehouse.database);
    const { lines, log } = createMigrationLog();
    const stopping = new AbortController();
    const migrating = migrate(dataSource, { log, signal: stopping.signal });
    await until(() => lines.some(({ message }) => message.includes('waits for locks')));

    stopping.abort(new Error('told to stop'));

    await expect(migrating).rejects.toThrow('told to stop');
    await endReading();
    await migrate(dataSource, { log });
    expect(await readSchemaState(dataSource)).toMatchObject({ pending: [] });
  }, 60_000);
});

/** An hour of counts, for which no request waits, and the few clients that somebody has blocked by hand. */
const MAY_BE_REWRITTEN = ['rate_windows', 'client_blocks'];

describe('a migration that is not released yet', () => {
  it('rewrites no table that requests wait for, and builds no index inside a transaction', async () => {
    await downTo(gatehouse.database, EARLIER_RELEASE);
    const files = () =>
      gatehouse.database.query<{
        id: string;
        name: string;
        file: string;
        isIndex: boolean;
        table: string;
      }>(
        `SELECT c.oid::text AS id, c.relname AS name, c.relfilenode::text AS file, c.relkind IN ('i', 'I') AS "isIndex",
           (SELECT indrelid::text FROM pg_index WHERE indexrelid = c.oid) AS table
         FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'i', 'p', 'I')`,
      );
    // By their ids: a table may get another name, as one that becomes a partition does.
    const earlier = await files();
    const atOnce: string[] = [];
    for (const migration of dataSource.migrations) {
      if (migration.transaction !== false) atOnce.push(migration.constructor.name);
    }
    const requested = earlier.filter(({ name }) => !MAY_BE_REWRITTEN.includes(name));
    const before = new Map(requested.map(({ id, file }) => [id, file]));
    const indexes = new Map<string, string>();
    for (const { name } of MIGRATIONS) {
      if ((await readSchemaState(dataSource)).pending[0] !== name) continue;
      await migrateOne(name);
      for (const found of await files()) {
        if (!found.isIndex && before.has(found.id)) {
          expect([name, found.name, found.file]).toEqual([name, found.name, before.get(found.id)]);
        }
        const isNew = found.isIndex && !before.has(found.id) && !indexes.has(found.id);
        if (isNew && before.has(found.table)) {
          indexes.set(found.id, found.name);
          expect(atOnce).not.toContain(name);
        }
      }
    }
    expect([...indexes.values()]).toEqual(expect.arrayContaining(['clients_unused']));
  }, 60_000);

  it('can be interrupted behind each of its statements, outside of a transaction', async () => {
    const tenant = await gatehouse.createTenant('acme');
    const key = await gatehouse.createKey(tenant);
    await downTo(gatehouse.database, EARLIER_RELEASE);
    await migrate(dataSource, { log: QUIET });
    const complete = await schemaOf(gatehouse.database);
    await downTo(gatehouse.database, EARLIER_RELEASE);
    const { pending } = await readSchemaState(dataSource);
    let interruptions = 0;
    for (const migration of dataSource.migrations) {
      const { name } = migration.constructor;
      if (!pending.includes(name)) continue;
      if (migration.transaction === false) {
        for (let done = 0; await isInterrupted(migration, done); done += 1) interruptions += 1;
      }
      // The last interruption is before the migration is recorded.
      await migrateOne(name);
    }

    expect(interruptions).toBeGreaterThan(20);
    expect(await schemaOf(gatehouse.database)).toEqual(complete);
    expect(
      await gatehouse.database.query('SELECT FROM pg_index WHERE NOT indisvalid OR NOT indisready'),
    ).toEqual([]);
    await gatehouse.http.get('/api/v1/me').set(key.bearer).expect(200);
  }, 60_000);

  /** Runs a migration up to one of its statements. @returns false if it has no further one */
  async function isInterrupted(migration: MigrationInterface, statements: number) {
    const runner = dataSource.createQueryRunner();
    const interruption = new Error('interrupted');
    const send = runner.query.bind(runner);
    let done = 0;
    Object.assign(runner, {
      async query(...[text, values]: [string, unknown[]?]) {
        if (done === statements) throw interruption;
        done += 1;
        return send(text, values);
      },
    });
    try {
      await migration.up(runner);
      return false;
    } catch (error) {
      if (error !== interruption) throw error;
      return true;
    } finally {
      await send('ROLLBACK');
      await runner.release();
    }
  }

  /** Runs one that is the next. */
  async function migrateOne(name: string): Promise<void> {
    const all = dataSource.migrations;
    const upTo = all.slice(0, all.findIndex((one) => one.constructor.name === name) + 1);
    Object.assign(dataSource, { migrations: upTo });
    await migrate(dataSource, { log: QUIET });
    Object.assign(dataSource, { migrations: all });
  }

  it('can be undone, down to a named one and no further', async () => {
    const undone = await migrateDownTo(dataSource, '1763840000000', { log: QUIET });

    const names = MIGRATIONS.map(({ name }) => name);
    expect(undone).toEqual(names.slice(names.indexOf(EARLIER_RELEASE) + 1).reverse());
    await expect(migrateDownTo(dataSource, 'Nonsense', { log: QUIET })).rejects.toThrow(
      'This release knows no migration Nonsense.',
    );
  });
});

describe('the schema of a newer release', () => {
  const addUnknown = async (declares?: 'compatible' | 'restricting') => {
    const name = `Newer1999999999999`;
    await dataSource.query('INSERT INTO migrations (timestamp, name) VALUES ($1, $2)', [
      1999999999999,
      name,
    ]);
    if (declares === undefined) return;
    await dataSource.query('INSERT INTO migration_declarations VALUES ($1, $2)', [name, declares]);
  };
  const readiness = async () => {
    const { status, body } = await gatehouse.http.get('/readyz');
    return { status, migrations: body.checks.migrations };
  };

  it('leaves this release ready if it declares itself compatible', async () => {
    await addUnknown('compatible');

    expect(await readiness()).toEqual({ status: 200, migrations: 'current' });
  });

  it.each(['restricting', undefined] as const)(
    'makes this one not ready if it declares %s',
    async (declares) => {
      await addUnknown(declares);

      expect(await readiness()).toEqual({ status: 503, migrations: 'newer' });
      await expect(migrateDownTo(dataSource, EARLIER_RELEASE, { log: QUIET })).rejects.toThrow(
        'Only the newer release that brought Newer1999999999999 can undo it.',
      );
    },
  );

  it('is declared by every migration of this one', async () => {
    const rows = await dataSource.query(
      `SELECT m.name FROM migrations m LEFT JOIN migration_declarations d USING (name)
       WHERE d.name IS NULL AND m.timestamp > 1763840000000`,
    );

    expect(rows).toEqual([]);
  });
});

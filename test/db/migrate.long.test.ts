import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource, QueryRunner } from 'typeorm';

import type { Migration } from '../../migrations/migration.js';
import { migrate } from '../../src/db/migrate.js';
import { readSchemaState } from '../../src/db/schema-state.js';
import { createTestApp, type TestApp, type TestKey } from '../support/app/app.js';
import { asAdmin } from '../support/database/database.js';
import { until } from '../support/app/until.js';
import {
  createMigrationLog,
  downTo,
  EARLIER_RELEASE,
  openForMigrating,
  readLikeDump,
} from '../support/process/releases.js';

/** Longer than the first attempt may wait for a lock. */
const ANSWERED_WITHIN_MS = 1200;
/** PostgreSQL looks for a deadlock, and lets autovacuum give way, when a statement has waited for this time. */
const DEADLOCK_TIMEOUT_MS = 1000;

let gatehouse: TestApp;
let dataSource: DataSource;
let key: TestKey;
beforeEach(async () => {
  gatehouse = await createTestApp();
  key = await gatehouse.createKey(await gatehouse.createTenant('acme'));
  dataSource = await openForMigrating(gatehouse.database);
});
afterEach(async () => {
  await dataSource.destroy();
  await gatehouse.close();
});

/** Locks what every verification reads, and then waits twice. */
class AfterEachOther9999000000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('LOCK TABLE tenants IN ACCESS EXCLUSIVE MODE');
    await runner.query('ALTER TABLE one ADD COLUMN more int');
    await runner.query('ALTER TABLE two ADD COLUMN more int');
  }

  async down(): Promise<void> {
    // Never undone.
  }
}

/** Alters a table that every verification reads. */
class OfTenants9999000000001 implements Migration {
  readonly olderPrograms = 'compatible';

  constructor(readonly transaction = true) {}

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE tenants ADD COLUMN IF NOT EXISTS more int');
  }

  async down(): Promise<void> {
    // Never undone.
  }
}

async function verifyOnce(): Promise<number> {
  const started = performance.now();
  const { status } = await gatehouse.http.get('/api/v1/me').set(key.bearer);
  expect(status).toBe(200);
  return performance.now() - started;
}

describe('a migration beside a reader that holds locks as pg_dump does', () => {
  it('lets verification continue, names the blocking reader, and ends after it', async () => {
    await downTo(gatehouse.database, EARLIER_RELEASE);
    const endReading = await readLikeDump(gatehouse.database);
    const { lines, log } = createMigrationLog();
    let isDone = false;
    const migrating = migrate(dataSource, { log }).then(() => {
      isDone = true;
    });

    const times: number[] = [];
    const start = performance.now();
    while (performance.now() - start < 5000) times.push(await verifyOnce());

    expect(Math.max(...times)).toBeLessThan(ANSWERED_WITHIN_MS);
    expect(isDone).toBe(false);
    const waits = lines.filter(({ message }) => message.includes('waits for locks'));
    expect(waits[0]?.at).toMatchObject({
      migration: expect.any(String),
      waitsFor: [{ application: 'pg_dump', user: 'tester', since: expect.any(Date) }],
    });
    expect(waits.length).toBeLessThan(4);

    await endReading();
    await migrating;
    expect(await readSchemaState(dataSource)).toMatchObject({ pending: [] });
    await verifyOnce();
  }, 60_000);

  it('holds no lock while it waits for the next table', async () => {
    await dataSource.query('CREATE TABLE one (id int); CREATE TABLE two (id int)');
    const [endFirst, endSecond] = [
      await readLikeDump(gatehouse.database, ['one']),
      await readLikeDump(gatehouse.database, ['two']),
    ];
    dataSource.migrations.push(new AfterEachOther9999000000000());
    const { lines, log } = createMigrationLog();
    const migrating = migrate(dataSource, { log });
    await until(() => lines.some(({ message }) => message.includes('waits for locks')));
    const startOfWait = performance.now();
    const verified = verifyOnce();
    await until(() => performance.now() - startOfWait > 1500);
    await endFirst();

    expect(await verified).toBeLessThan(ANSWERED_WITHIN_MS);
    await endSecond();
    expect(await migrating).toEqual(['AfterEachOther9999000000000']);
  }, 60_000);

  it('outside of a transaction waits no longer than others can either', async () => {
    const endReading = await readLikeDump(gatehouse.database, ['tenants']);
    dataSource.migrations.push(new OfTenants9999000000001(false));
    const { lines, log } = createMigrationLog();
    const migrating = migrate(dataSource, { log });
    await until(() => lines.some(({ message }) => message.includes('waits for locks')));

    expect(await verifyOnce()).toBeLessThan(ANSWERED_WITHIN_MS);

    await endReading();
    expect(await migrating).toEqual(['OfTenants9999000000001']);
  }, 60_000);
});

/** Locks two tables in the opposite order of a verification that begins in between. */
class AgainstVerification9999000000002 implements Migration {
  readonly olderPrograms = 'compatible';
  readonly times: Promise<number>[] = [];

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE tenants ADD COLUMN more int');
    this.times.push(verifyOnce());
    const waiting = 'SELECT FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()';
    await until(async () => ((await runner.query(waiting)) as unknown[]).length > 0);
    await runner.query('ALTER TABLE credentials ADD COLUMN more int');
  }

  async down(): Promise<void> {
    // Never undone.
  }
}

describe('a migration that locks tables in another order than verification', () => {
  it('gives way at once, and succeeds with its second attempt', async () => {
    const migration = new AgainstVerification9999000000002();
    dataSource.migrations.push(migration);

    expect(await migrate(dataSource, { log: createMigrationLog().log })).toHaveLength(1);

    const times = await Promise.all(migration.times);
    expect(times).toHaveLength(2);
    expect(Math.max(...times)).toBeLessThan(DEADLOCK_TIMEOUT_MS / 2);
  }, 60_000);
});

describe('a migration of a table that autovacuum works on', () => {
  afterEach(async () => {
    await asAdmin('ALTER SYSTEM RESET autovacuum_naptime');
    await asAdmin('SELECT pg_reload_conf()');
  });

  /** Autovacuum that takes minutes for a table of a thousand pages. */
  async function beginAutovacuum(): Promise<void> {
    await asAdmin('ALTER SYSTEM SET autovacuum_naptime = 1');
    await asAdmin('SELECT pg_reload_conf()');
    await dataSource.query(`
      ALTER TABLE tenants SET (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1);
      INSERT INTO tenants (id, slug, name) SELECT 'tnt_' || n, 'tenant-' || n, repeat('n', 100) FROM generate_series(1, 50000) n;
      UPDATE tenants SET name = 'Renamed' WHERE id LIKE 'tnt\\_%' AND length(id) < 10`);
    const isAtWork = `SELECT FROM pg_locks
      WHERE relation = 'tenants'::regclass AND mode = 'ShareUpdateExclusiveLock' AND granted`;
    await until(async () => (await dataSource.query<unknown[]>(isAtWork)).length > 0, {
      withinMs: 30_000,
      what: 'autovacuum has begun',
    });
  }

  it('holds up no verification', async () => {
    await beginAutovacuum();
    dataSource.migrations.push(new OfTenants9999000000001());
    let isDone = false;
    const migrating = migrate(dataSource, { log: createMigrationLog().log }).then((names) => {
      isDone = true;
      return names;
    });

    const times: number[] = [];
    while (!isDone) times.push(await verifyOnce());

    expect(await migrating).toEqual(['OfTenants9999000000001']);
    expect(Math.max(...times)).toBeLessThan(DEADLOCK_TIMEOUT_MS / 2);
  }, 60_000);
});

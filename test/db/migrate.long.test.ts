import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource, QueryRunner } from 'typeorm';

import type { Migration } from '../../migrations/migration.js';
import { migrate } from '../../src/db/migrate.js';
import { readSchemaState } from '../../src/db/schema-state.js';
import { createTestApp, type TestApp, type TestKey } from '../support/app/app.js';
import { until } from '../support/app/until.js';
import {
  createMigrationLog,
  downTo,
  EARLIER_RELEASE,
  openForMigrating,
  readLikeDump,
} from '../support/process/releases.js';

/** Longer than a lock may be waited for, and less than the verifier's own limit. */
const ANSWERED_WITHIN_MS = 2900;

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
});

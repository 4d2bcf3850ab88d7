import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { maintainPartitions } from '../../src/db/partitions.js';
import { migrate } from '../../src/db/migrate.js';
import { createTestApp, type TestApp } from '../support/app/app.js';
import { createUser, registerClient, type TestClient } from '../support/oauth/oauth.js';
import { probesOf, recordStatements } from '../support/database/plans.js';
import { downTo, openForMigrating, QUIET } from '../support/process/releases.js';
import { createInstaller, refresh } from '../support/oauth/token-families.js';

/** The last migration of a release that makes partitions of refresh tokens of 7 days, 44 days ahead. */
const NARROW = 'ListIndexes1764144000000';
const DAY_MS = 86_400_000;

interface Partition {
  readonly name: string;
  readonly from: Date;
  readonly to: Date;
}

describe('partitions of refresh tokens', () => {
  let gatehouse: TestApp;
  let client: TestClient;
  let tenants = 0;
  beforeEach(async () => {
    gatehouse = await createTestApp();
    client = await registerClient(gatehouse);
  });
  afterEach(() => gatehouse.close());

  const install = async () => {
    tenants += 1;
    const tenant = await gatehouse.createTenant(`tenant-${tenants}`);
    const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    return createInstaller(gatehouse, { client, user }).install();
  };
  const partitions = () =>
    gatehouse.database.query<Partition>(
      `SELECT inhrelid::regclass::text AS name,
         substring(bound FROM 'FROM \\(''([^'']+)''\\)')::timestamptz AS from,
         substring(bound FROM 'TO \\(''([^'']+)''\\)')::timestamptz AS to
       FROM (SELECT inhrelid, pg_get_expr(c.relpartbound, c.oid) AS bound FROM pg_inherits
         JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'refresh_tokens'::regclass) AS p ORDER BY 2`,
    );
  const daysOf = ({ from, to }: Partition) => (to.getTime() - from.getTime()) / DAY_MS;
  /** When a program that knows spans of 7 days and names by their first day takes a partition to end. */
  const endForEarlierPrograms = ({ name }: Partition) =>
    new Date(`${name.slice(-8, -4)}-${name.slice(-4, -2)}-${name.slice(-2)}`).getTime() +
    7 * DAY_MS;
  /** As the earlier release leaves them: its weeks, up to 44 days ahead. */
  const makeNarrow = async () => {
    await downTo(gatehouse.database, NARROW);
    const week = 7 * DAY_MS;
    const last = (await partitions()).at(-1)?.to.getTime() ?? 0;
    for (let start = last; start < Date.now() + 44 * DAY_MS; start += week) {
      const [from, to] = [new Date(start).toISOString(), new Date(start + week).toISOString()];
      await gatehouse.database.query(
        `CREATE TABLE refresh_tokens_${from.slice(0, 10).replaceAll('-', '')}
           PARTITION OF refresh_tokens FOR VALUES FROM ('${from}') TO ('${to}')`,
      );
    }
    expect(new Set((await partitions()).map(daysOf))).toEqual(new Set([7]));
  };

  const migrateAgain = async () => {
    const dataSource = await openForMigrating(gatehouse.database);
    await migrate(dataSource, { log: QUIET });
    await dataSource.destroy();
  };

  it('become weeks again for the earlier release, with every token in its partition', async () => {
    const tokens = await install();
    await makeNarrow();
    const names = (await partitions()).map(({ name, from }) => [name, from.toISOString()]);
    for (const [name = '', from = ''] of names) {
      expect(name).toBe(`refresh_tokens_${from.slice(0, 10).replaceAll('-', '')}`);
    }
    // This release refreshes on its own schema only.
    await migrateAgain();
    expect((await refresh(gatehouse, client, tokens.refresh_token)).status).toBe(200);
  });

  it('grow wider after those of the earlier release without losing a token', async () => {
    let often = await install();
    let seldom = await install();
    await makeNarrow();
    await migrateAgain();
    await maintainPartitions(gatehouse.dataSource);
    // A replica of the earlier release keeps running: nothing stands where it makes its next one.
    expect(new Set((await partitions()).map(daysOf))).toEqual(new Set([7]));

    for (let day = 1; day <= 116; day++) {
      await gatehouse.database.shiftClock(`${day} days`);
      await maintainPartitions(gatehouse.dataSource);
      const now = Date.now() + day * DAY_MS;
      const all = await partitions();
      for (const [index, partition] of all.entries()) {
        expect(all[index + 1]?.from ?? partition.to).toEqual(partition.to);
        expect(endForEarlierPrograms(partition)).toBeGreaterThanOrEqual(partition.to.getTime());
      }
      expect(all.at(-1)?.to.getTime()).toBeGreaterThan(now + 32 * DAY_MS);
      if (day % 3 === 0) {
        often = (await refresh(gatehouse, client, often.refresh_token)).tokens;
        expect([day, often.refresh_token]).toEqual([day, expect.any(String)]);
      }
      if (day % 29 > 0) continue;
      seldom = (await refresh(gatehouse, client, seldom.refresh_token)).tokens;
      expect([day, seldom.refresh_token]).toEqual([day, expect.any(String)]);
    }
    expect((await partitions()).length).toBeLessThanOrEqual(4);
    const [statement] = await recordStatements('verify-', () =>
      refresh(gatehouse, client, often.refresh_token),
    );
    if (statement === undefined) throw new Error('nothing was looked up');
    const { partitions: probed } = await probesOf(gatehouse.database, statement, 'refresh_tokens');
    expect(probed).toBeLessThanOrEqual(2);
  }, 60_000);

  it('are created without overlap after the clock was set back', async () => {
    await gatehouse.database.shiftClock('300 days');
    await maintainPartitions(gatehouse.dataSource);
    await gatehouse.database.shiftClock('250 days');
    await maintainPartitions(gatehouse.dataSource);
    const tokens = await install();
    expect((await refresh(gatehouse, client, tokens.refresh_token)).status).toBe(200);
  });
});

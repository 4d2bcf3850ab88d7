import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { DataSource } from 'typeorm';

import { createDataSource } from '../../src/db/data-source.js';
import { probeWriting } from '../../src/db/write-probe.js';
import {
  startTemporaryPostgres,
  type TemporaryPostgres,
} from '../support/database/temporary-postgres.js';
import { until } from '../support/app/until.js';

describe('probeWriting', () => {
  let postgres: TemporaryPostgres;
  let admin: pg.Client;
  let dataSource: DataSource;
  beforeAll(async () => {
    postgres = await startTemporaryPostgres();
    admin = new pg.Client(postgres.connection);
    await admin.connect();
    dataSource = createDataSource(postgres.connection, [], () => undefined);
    await dataSource.initialize();
  }, 60_000);
  afterAll(async () => {
    await dataSource.destroy();
    await admin.end();
    await postgres.stop();
  });

  async function waitingCommits(): Promise<number> {
    const { rows } = await admin.query(`SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'`);
    return rows.length;
  }

  const isAcknowledged = () =>
    probeWriting(dataSource).then(
      () => true,
      () => false,
    );

  it('succeeds where a commit is acknowledged, without leaving a row', async () => {
    await probeWriting(dataSource);
  });

  it('fails while the synchronous standby is gone, without leaving a waiting commit', async () => {
    await admin.query(`ALTER SYSTEM SET synchronous_standby_names = 'gone'`);
    await admin.query('SELECT pg_reload_conf()');
    // The server's processes follow a reload one after the other.
    await until(async () => !(await isAcknowledged()));
    for (let times = 0; times < 3; times += 1) {
      await expect(probeWriting(dataSource)).rejects.toThrow('not acknowledged');
      expect(await waitingCommits()).toBe(0);
    }
    await admin.query('ALTER SYSTEM RESET synchronous_standby_names');
    await admin.query('SELECT pg_reload_conf()');
    await until(isAcknowledged);
  }, 30_000);
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { runCleanup } from '../../src/server/cleanup.js';
import { PARTITIONED_TABLES } from '../../src/db/partitions.js';
import { createTestApp, TEST_SECRET_KEY, type TestApp } from '../support/app/app.js';
import { createUser, registerClient, type TokenResponse } from '../support/oauth/oauth.js';
import { createServerProcesses } from '../support/process/server-process.js';
import { createInstaller, refresh, type Installer } from '../support/oauth/token-families.js';

describe('partitions', () => {
  const processes = createServerProcesses();
  let gatehouse: TestApp;
  let installer: Installer;
  beforeAll(async () => {
    gatehouse = await createTestApp();
    const tenant = await gatehouse.createTenant('acme');
    const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    installer = createInstaller(gatehouse, { client: await registerClient(gatehouse), user });
  });
  afterAll(async () => {
    await processes.killAll();
    await gatehouse.close();
  });

  const cleanUp = () => runCleanup(gatehouse.dataSource, new AbortController().signal);
  const newest = async () => {
    const rows = await gatehouse.database.query<{ name: string }>(
      `SELECT max(inhrelid::regclass::text) AS name FROM pg_inherits
       WHERE inhparent = ANY ($1::regclass[]) GROUP BY inhparent ORDER BY 1`,
      [PARTITIONED_TABLES.map(({ name }) => name)],
    );
    return rows.map(({ name }) => name);
  };

  it('are created and dropped by several replicas at once while tokens are refreshed', async () => {
    const families: TokenResponse[] = [];
    for (let count = 0; count < 3; count++) families.push(await installer.install());
    for (let day = 1; day <= 14; day++) {
      await gatehouse.database.shiftClock(`${day} days`);
      await Promise.all([
        cleanUp(),
        cleanUp(),
        cleanUp(),
        ...families.map(async (family, index) => {
          const answer = await refresh(gatehouse, installer.client, family.refresh_token);
          expect(answer.status).toBe(200);
          families[index] = answer.tokens;
        }),
      ]);
    }
    await cleanUp();
    expect(await gatehouse.database.query('SELECT FROM refresh_tokens')).toHaveLength(3 * 15);
  });

  it('exist when a server starts after a long standstill', async () => {
    await gatehouse.database.shiftClock('114 days');
    const before = await newest();
    const env = { DATABASE_URL: gatehouse.database.url, SECRET_KEYS: TEST_SECRET_KEY };
    await processes.start({ ...env, ISSUER: gatehouse.config.ISSUER });
    expect(await newest()).not.toEqual(before);
    const tokens: TokenResponse = await installer.install();
    expect((await refresh(gatehouse, installer.client, tokens.refresh_token)).status).toBe(200);
  });

  it('are created while a backup holds locks, and dropped once it has ended', async () => {
    await gatehouse.database.shiftClock('130 days');
    const backup = new pg.Client(gatehouse.database.client);
    backup.on('error', () => undefined);
    await backup.connect();
    await backup.query('BEGIN');
    for (const { name } of PARTITIONED_TABLES)
      await backup.query(`LOCK ${name} IN ACCESS SHARE MODE`);
    const before = await newest();
    const env = { DATABASE_URL: gatehouse.database.url, SECRET_KEYS: TEST_SECRET_KEY };
    await processes.start(env);
    const made = await newest();
    expect(made).not.toEqual(before);
    await expect(cleanUp()).rejects.toBeInstanceOf(AggregateError);
    await backup.query('COMMIT');
    await backup.end();

    await cleanUp();
    expect(await newest()).toEqual(made);
    // The two that were issued after the standstill.
    expect(await gatehouse.database.query('SELECT FROM refresh_tokens')).toHaveLength(2);
  }, 30_000);
});

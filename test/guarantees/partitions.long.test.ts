import { afterAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { PARTITIONED_TABLES } from '../../src/db/partitions.js';
import { runCleanup } from '../../src/server/cleanup.js';
import { TEST_SECRET_KEY } from '../support/app/app.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import { newestPartitions } from '../support/database/partitions.js';
import { createUser, registerClient } from '../support/oauth/oauth.js';
import { createInstaller } from '../support/oauth/token-families.js';
import { createServerProcesses } from '../support/process/server-process.js';

describe('partitions', () => {
  const gatehouse = useGatehouse();
  const processes = createServerProcesses();
  afterAll(() => processes.killAll());

  const cleanUp = () => runCleanup(gatehouse.dataSource, new AbortController().signal);

  it('are created while a backup holds locks, and dropped once it has ended', async () => {
    const { database } = gatehouse;
    const tenant = await gatehouse.createTenant('acme');
    const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    const client = await registerClient(gatehouse);
    const installer = createInstaller(gatehouse, { client, user });
    const refreshTokens = () => database.query('SELECT FROM refresh_tokens');
    await installer.install();
    await database.shiftClock('114 days');
    await cleanUp();
    await installer.install();
    await database.shiftClock('130 days');
    const backup = new pg.Client(database.client);
    backup.on('error', () => undefined);
    await backup.connect();
    await backup.query('BEGIN');
    for (const { name } of PARTITIONED_TABLES)
      await backup.query(`LOCK ${name} IN ACCESS SHARE MODE`);
    const before = await newestPartitions(database);
    await processes.start({ DATABASE_URL: database.url, SECRET_KEYS: TEST_SECRET_KEY });
    const made = await newestPartitions(database);
    expect(made).not.toEqual(before);
    await expect(cleanUp()).rejects.toBeInstanceOf(AggregateError);
    await backup.query('COMMIT');
    await backup.end();

    await cleanUp();
    expect(await newestPartitions(database)).toEqual(made);
    // The one that was issued 16 days ago.
    expect(await refreshTokens()).toHaveLength(1);
  }, 60_000);
});

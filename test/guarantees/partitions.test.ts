import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { runCleanup } from '../../src/server/cleanup.js';
import { createTestApp, TEST_SECRET_KEY, type TestApp } from '../support/app/app.js';
import { newestPartitions } from '../support/database/partitions.js';
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
    const before = await newestPartitions(gatehouse.database);
    const env = { DATABASE_URL: gatehouse.database.url, SECRET_KEYS: TEST_SECRET_KEY };
    await processes.start({ ...env, ISSUER: gatehouse.config.ISSUER });
    expect(await newestPartitions(gatehouse.database)).not.toEqual(before);
    const tokens: TokenResponse = await installer.install();
    expect((await refresh(gatehouse, installer.client, tokens.refresh_token)).status).toBe(200);
  });
});

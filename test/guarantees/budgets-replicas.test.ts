import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { createTestApp, TEST_SECRET_KEY, type TestApp } from '../support/app/app.js';
import { createServerProcesses } from '../support/process/server-process.js';
import { until } from '../support/app/until.js';

describe('the budgets of several replicas', () => {
  const processes = createServerProcesses();
  let gatehouse: TestApp;
  let env: Record<string, string>;
  beforeEach(async () => {
    gatehouse = await createTestApp();
    env = {
      DATABASE_URL: gatehouse.database.url,
      SECRET_KEYS: TEST_SECRET_KEY,
      RATE_LIMIT_TENANT_PER_HOUR: '',
    };
  });
  afterEach(async () => {
    await processes.killAll();
    await gatehouse.close();
  });

  const createKey = async (rateLimitPerMinute: number) => {
    const tenant = await gatehouse.createTenant('acme');
    return (await gatehouse.createKey(tenant, { rateLimitPerMinute })).secret;
  };
  const me = '/api/v1/me';

  it('refuse at one replica within a second what was spent at another', async () => {
    const limit = 500;
    const key = await createKey(limit);
    const [a, b] = await Promise.all([processes.start(env), processes.start(env)]);
    const statuses = await Promise.all(
      Array.from({ length: limit + 1 }, async () => (await a.send('GET', me, { key })).status),
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(limit);

    // Far fewer than it would admit by what it has counted itself.
    let admitted = 0;
    await until(async () => {
      const { status } = await b.send('GET', me, { key });
      if (status === 200) admitted += 1;
      return status === 429;
    });
    expect(admitted).toBeLessThan(limit / 2);
  }, 60_000);

  it('hold for a replica that starts after the counting ones stopped', async () => {
    const key = await createKey(0);
    const a = await processes.start(env);
    for (let n = 0; n < 7; n += 1) await a.send('GET', me, { key });
    await a.end('SIGTERM');

    const b = await processes.start(env);
    await until(async () => {
      const { headers } = await b.send('GET', me, { key });
      return Number(headers['ratelimit-tenant-remaining']) < 9993 - 1;
    });
  }, 60_000);
});

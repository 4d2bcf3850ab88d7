import { afterAll, describe, it } from '@jest/globals';

import { TEST_SECRET_KEY } from '../support/app/app.js';
import { until } from '../support/app/until.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import { createServerProcesses, type ServerProcess } from '../support/process/server-process.js';

describe('the budgets of several replicas', () => {
  const gatehouse = useGatehouse();
  const processes = createServerProcesses();
  afterAll(() => processes.killAll());

  it('are counted per replica while the database is away, and merged afterwards', async () => {
    const tenant = await gatehouse.createTenant('acme');
    const { secret: key } = await gatehouse.createKey(tenant, { rateLimitPerMinute: 0 });
    const env = {
      DATABASE_URL: gatehouse.database.url,
      SECRET_KEYS: TEST_SECRET_KEY,
      RATE_LIMIT_TENANT_PER_HOUR: '',
    };
    const [a, b] = await Promise.all([processes.start(env), processes.start(env)]);
    const ask = (server: ServerProcess) => server.send('GET', '/api/v1/me', { key });
    await ask(a);
    await gatehouse.database.lock();
    await until(() => a.stderr().includes('budgets cannot be shared'));
    await gatehouse.database.unlock();
    await until(() => a.stderr().includes('budgets are shared with the other replicas again'));

    const remaining = async (server: ServerProcess) =>
      Number((await ask(server)).headers['ratelimit-tenant-remaining']);
    await until(async () => Math.abs((await remaining(a)) - (await remaining(b))) <= 1);
  }, 60_000);
});

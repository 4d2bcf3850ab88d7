import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createTestApp, TEST_SECRET_KEY, type TestApp } from '../support/app/app.js';
import { revokeInRounds } from '../support/replicas/revocation-rounds.js';
import { createServerProcesses } from '../support/process/server-process.js';

const ROUNDS = 1000;

describe('two server processes on one database', () => {
  const processes = createServerProcesses();
  let gatehouse: TestApp;
  beforeAll(async () => {
    gatehouse = await createTestApp();
  });
  afterAll(async () => {
    await processes.killAll();
    await gatehouse.close();
  });

  it(`refuse a key on the very next request after it was revoked through the other, ${ROUNDS} times out of ${ROUNDS}`, async () => {
    const admin = await gatehouse.createKey(await gatehouse.createTenant('rounds'));
    const env = { DATABASE_URL: gatehouse.database.url, SECRET_KEYS: TEST_SECRET_KEY };
    const [a, b] = await Promise.all([processes.start(env), processes.start(env)]);
    expect(await revokeInRounds({ a, b, admin, rounds: ROUNDS })).toEqual([[401, ROUNDS]]);
  }, 120_000);
});

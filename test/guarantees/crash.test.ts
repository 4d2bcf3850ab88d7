import { afterEach, describe, expect, it } from '@jest/globals';

import { TEST_SECRET_KEY } from '../support/app/app.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import { crashRepeatedly } from '../support/faults/crash.js';
import { createServerProcesses } from '../support/process/server-process.js';

/** `crash.long.test.ts` crashes more often. */
const CRASHES = 1;

describe('a server that is killed with -9 under load while its database keeps running', () => {
  const gatehouse = useGatehouse();
  const processes = createServerProcesses();
  afterEach(() => processes.killAll());

  it('loses no contact, key or revocation that it has acknowledged', async () => {
    const admin = (await gatehouse.createKey(await gatehouse.createTenant('crash'))).secret;
    const env = { DATABASE_URL: gatehouse.database.url, SECRET_KEYS: TEST_SECRET_KEY };
    const { ledger, broken } = await crashRepeatedly({
      times: CRASHES,
      start: async () => ({ server: await processes.start(env), admin }),
      crash: (server) => server.end('SIGKILL'),
    });
    expect(broken).toEqual([]);
    expect(ledger.acknowledged).toBeGreaterThanOrEqual(50 * CRASHES);
  }, 60_000);
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { createTestApp, TEST_SECRET_KEY, type TestApp } from '../support/app/app.js';
import { crashRepeatedly } from '../support/faults/crash.js';
import { createOwnDatabase, postgresProcessesOf } from '../support/database/postgres-processes.js';
import { createServerProcesses, keyInGreeting } from '../support/process/server-process.js';
import {
  startTemporaryPostgres,
  type TemporaryPostgres,
} from '../support/database/temporary-postgres.js';

/** `crash.long.test.ts` crashes more often. */
const CRASHES = 1;

describe('a server that is killed with -9 under load', () => {
  const processes = createServerProcesses();
  afterEach(() => processes.killAll());

  describe('while its database keeps running', () => {
    let gatehouse: TestApp;
    beforeEach(async () => {
      gatehouse = await createTestApp();
    });
    afterEach(() => gatehouse.close());

    it('loses no contact, key or revocation that it has acknowledged', async () => {
      const admin = (await gatehouse.createKey(await gatehouse.createTenant('crash'))).secret;
      const env = { DATABASE_URL: gatehouse.database.url, SECRET_KEYS: TEST_SECRET_KEY };
      const { ledger, broken } = await crashRepeatedly({
        times: CRASHES,
        start: async () => ({ server: await processes.start(env), admin }),
        crash: (server) => server.end('SIGKILL'),
      });
      expect(broken).toEqual([]);
      expect(ledger.acknowledged).toBeGreaterThan(50 * CRASHES);
    }, 60_000);
  });

  describe('together with its database', () => {
    let postgres: TemporaryPostgres;
    beforeEach(async () => {
      postgres = await startTemporaryPostgres();
    }, 30_000);
    afterEach(() => postgres.stop());

    it('loses no contact, key or revocation that it has acknowledged', async () => {
      const database = postgresProcessesOf(postgres.directory);
      const env = { DATABASE_URL: await createOwnDatabase(postgres), SECRET_KEYS: TEST_SECRET_KEY };
      let admin: string | undefined;
      const { ledger, broken } = await crashRepeatedly({
        times: CRASHES,
        async start() {
          await postgres.restart('immediate');
          const server = await processes.start(env);
          admin ??= keyInGreeting(server);
          return { server, admin };
        },
        crash: (server) => Promise.all([server.end('SIGKILL'), database.kill()]),
      });
      expect(broken).toEqual([]);
      expect(ledger.acknowledged).toBeGreaterThan(50 * CRASHES);
    }, 60_000);
  });
});

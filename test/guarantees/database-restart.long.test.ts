import { afterAll, beforeAll, describe, it } from '@jest/globals';

import { TEST_SECRET_KEY } from '../support/app/app.js';
import { createOwnDatabase } from '../support/database/postgres-processes.js';
import { expectRecovery, prepareErrands } from '../support/replicas/restarts.js';
import { createServerProcesses, type ServerProcess } from '../support/process/server-process.js';
import {
  startTemporaryPostgres,
  type TemporaryPostgres,
} from '../support/database/temporary-postgres.js';
import type { Errand } from '../support/faults/traffic.js';

const RESTARTS = 5;

describe('a server whose database restarts under load', () => {
  const processes = createServerProcesses();
  let postgres: TemporaryPostgres;
  let server: ServerProcess;
  let errands: readonly Errand[];

  beforeAll(async () => {
    postgres = await startTemporaryPostgres();
    const env = { DATABASE_URL: await createOwnDatabase(postgres), SECRET_KEYS: TEST_SECRET_KEY };
    server = await processes.start(env);
    errands = await prepareErrands(server);
  }, 30_000);
  afterAll(async () => {
    await processes.killAll();
    await postgres.stop();
  });

  it.each(['fast', 'immediate'] as const)(
    'answers 503 with Retry-After and nothing wrong, and recovers by itself (%s)',
    async (mode) => {
      for (let restart = 0; restart < RESTARTS; restart++) {
        await expectRecovery(server, errands, () => postgres.restart(mode));
      }
    },
    120_000,
  );
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { TEST_SECRET_KEY } from '../support/app/app.js';
import { createOwnDatabase } from '../support/database/postgres-processes.js';
import {
  expectRecovery,
  prepareErrands,
  RECOVERS_WITHIN_MS,
} from '../support/replicas/restarts.js';
import { createServerProcesses, type ServerProcess } from '../support/process/server-process.js';
import {
  startTemporaryPostgres,
  type TemporaryPostgres,
} from '../support/database/temporary-postgres.js';
import { findWrong, isRight, run, type Errand, type Outcome } from '../support/faults/traffic.js';
import { until } from '../support/app/until.js';

/** `database-restart.long.test.ts` does five. */
const RESTARTS = 2;

describe('a server whose database goes away', () => {
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
    'answers 503 with Retry-After and nothing wrong, and recovers by itself (%s restart under load)',
    async (mode) => {
      // More than once: a connection can break at any of the steps of a request.
      for (let restart = 0; restart < RESTARTS; restart++) {
        await expectRecovery(server, errands, () => postgres.restart(mode));
      }
    },
    60_000,
  );

  it('recovers when all its idle connections broke', async () => {
    await Promise.all(errands.flatMap((errand) => [run(server, errand), run(server, errand)]));
    await postgres.restart('immediate');
    const back = performance.now();
    for (const errand of errands) {
      const attempts: Outcome[] = [];
      await until(async () => {
        const outcome = await run(server, errand);
        attempts.push(outcome);
        return isRight(outcome);
      });
      expect(findWrong(attempts)).toEqual([]);
    }
    expect(performance.now() - back).toBeLessThan(RECOVERS_WITHIN_MS);
  }, 60_000);
});

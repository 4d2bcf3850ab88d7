import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { TEST_SECRET_KEY } from '../support/app/app.js';
import { createOwnDatabase, postgresProcessesOf } from '../support/database/postgres-processes.js';
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
import {
  isRight,
  isUnavailable,
  run,
  type Errand,
  type Outcome,
} from '../support/faults/traffic.js';
import { until } from '../support/app/until.js';

const RESTARTS = 5;
/** Two tries of a lookup, and the turn before it. */
const ANSWERS_WITHIN_MS = 15_000;

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
      for (let restart = 0; restart < RESTARTS; restart++) {
        await expectRecovery(server, errands, () => postgres.restart(mode));
      }
    },
    120_000,
  );

  it('answers 503 in bounded time while the database hangs, and recovers when it continues', async () => {
    const database = postgresProcessesOf(postgres.directory);
    await database.freeze();
    let asked: Outcome[];
    try {
      asked = await Promise.all(errands.map((errand) => run(server, errand)));
    } finally {
      await database.thaw();
    }
    const back = performance.now();
    for (const outcome of asked) {
      expect(isUnavailable(outcome)).toBe(true);
      expect(outcome.endedAt - outcome.sentAt).toBeLessThan(ANSWERS_WITHIN_MS);
    }
    for (const errand of errands) await until(async () => isRight(await run(server, errand)));
    expect(performance.now() - back).toBeLessThan(RECOVERS_WITHIN_MS);
  }, 60_000);
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { TEST_SECRET_KEY } from '../support/app.js';
import { createOwnDatabase, postgresProcessesOf } from '../support/postgres-processes.js';
import {
  createServerProcesses,
  keyInGreeting,
  type ServerProcess,
} from '../support/server-process.js';
import { startTemporaryPostgres, type TemporaryPostgres } from '../support/temporary-postgres.js';
import {
  findWrong,
  isRight,
  isUnavailable,
  run,
  startTraffic,
  type Errand,
  type Outcome,
} from '../support/traffic.js';
import { until } from '../support/until.js';

const RESTARTS = 5;
const RECOVERS_WITHIN_MS = 2000;
/** Two tries of a lookup, and the turn before it. */
const ANSWERS_WITHIN_MS = 15_000;
/** More workers than the server has connections. */
const WORKERS_EACH = 6;

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
        const traffic = startTraffic(server, errands, WORKERS_EACH);
        await until(() => rightOnes(traffic.outcomes, 0).size === errands.length);
        await postgres.restart(mode);
        const back = performance.now();
        await until(() => rightOnes(traffic.outcomes, back).size === errands.length);
        const recovered = performance.now();
        await until(() => answeredSince(traffic.outcomes, recovered).length >= 200);
        await traffic.stop();

        expect(findWrong(traffic.outcomes)).toEqual([]);
        expect(traffic.outcomes.some(isUnavailable)).toBe(true);
        expect(recovered - back).toBeLessThan(RECOVERS_WITHIN_MS);
        const late = answeredSince(traffic.outcomes, back + RECOVERS_WITHIN_MS);
        expect(late.filter((outcome) => !isRight(outcome))).toEqual([]);
      }
    },
    60_000,
  );

  it('recovers when all its connections broke while nothing used them', async () => {
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

/** Requests of every sort: what is right must stay right, and what is refused must stay refused. */
async function prepareErrands(server: ServerProcess): Promise<readonly Errand[]> {
  const admin = keyInGreeting(server);
  const revoked = await server.send('POST', '/api/v1/api-keys', {
    key: admin,
    body: { name: 'Revoked', scopes: ['contacts:read'] },
  });
  const { id = '', key = '' } = revoked.json.data ?? {};
  await server.send('DELETE', `/api/v1/api-keys/${id}`, { key: admin });
  const errand = {
    method: 'GET',
    path: '/api/v1/me',
    options: { key: admin },
    status: 200,
  } as const;
  const body = { type: 'customer' };
  return [
    { ...errand, name: 'a good key' },
    { ...errand, name: 'a revoked key', options: { key }, status: 401 },
    { ...errand, name: 'a list', path: '/api/v1/contacts' },
    {
      name: 'a new contact',
      method: 'POST',
      path: '/api/v1/contacts',
      options: { key: admin, body },
      status: 201,
    },
  ];
}

function answeredSince(outcomes: readonly Outcome[], time: number): Outcome[] {
  return outcomes.filter(({ sentAt }) => sentAt >= time);
}

/** Which errands went right since then. */
function rightOnes(outcomes: readonly Outcome[], since: number): Set<string> {
  return new Set(
    answeredSince(outcomes, since)
      .filter(isRight)
      .map(({ errand }) => errand.name),
  );
}

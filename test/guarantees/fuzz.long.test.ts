import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createTestApp, TEST_SECRET_KEY, type TestApp } from '../support/app/app.js';
import { createFuzzer, fuzz, plantSeeds, type Seeds } from '../support/faults/fuzz.js';
import { createMeasuredProcesses } from '../support/process/held-memory.js';
import type { ServerProcess } from '../support/process/server-process.js';

const REQUESTS = Number(process.env['FUZZ_REQUESTS'] ?? 200_000);
/** Another one finds other things. */
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_261_126);
/** Room for limits by address, counts and last uses. */
const GROWTH_MB = 12;
const HALF = Math.floor(REQUESTS / 2);

describe('random requests to a server process', () => {
  let measured: Awaited<ReturnType<typeof createMeasuredProcesses>>;
  let gatehouse: TestApp;
  let seeds: Seeds;
  let server: ServerProcess;
  beforeAll(async () => {
    measured = await createMeasuredProcesses();
    gatehouse = await createTestApp({ TRUST_PROXY: '127.0.0.1' });
    seeds = await plantSeeds(gatehouse);
    server = await measured.processes.start({
      ...measured.env,
      DATABASE_URL: gatehouse.database.url,
      SECRET_KEYS: TEST_SECRET_KEY,
      TRUST_PROXY: '127.0.0.1',
      // The line that says where it listens is one of these.
      LOG_LEVEL: 'info',
    });
  }, 60_000);
  afterAll(async () => {
    await measured.processes.killAll();
    await gatehouse.close();
  });

  it(`cause no internal error, ${REQUESTS} times (FUZZ_SEED=${SEED})`, async () => {
    const next = createFuzzer(seeds, SEED);
    const first = await fuzz(server.origin, next, HALF);
    const before = await measured.heldBy(server);
    const second = await fuzz(server.origin, next, HALF);
    const growth = (await measured.heldBy(server)) - before;

    expect([...first.failed, ...second.failed]).toEqual([]);
    expect(server.stderr()).not.toMatch(/"level":"(error|fatal)"|Error:/);
    console.info(`${before.toFixed(1)} MB held, ${growth.toFixed(1)} more in the end`);
    expect(growth).toBeLessThan(GROWTH_MB);
    // By design: the database or hashing is asked for more than it can do.
    const unavailable = (first.statuses[503] ?? 0) + (second.statuses[503] ?? 0);
    expect(unavailable).toBeLessThan(0.01 * REQUESTS);
    expect((await server.send('GET', '/readyz')).status).toBe(200);
    expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
  }, 900_000);
});

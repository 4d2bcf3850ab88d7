import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';

import { createTestApp, TEST_SECRET_KEY, type TestApp } from '../support/app/app.js';
import { createFuzzer, fuzz, plantSeeds, type Seeds } from '../support/faults/fuzz.js';
import { createServerProcesses, type ServerProcess } from '../support/process/server-process.js';

const REQUESTS = Number(process.env['FUZZ_REQUESTS'] ?? 200_000);
/** Another one finds other things. */
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_261_126);
/** Growth of a process whose heap is small: garbage that is not collected yet does not count. */
const GROWTH_MB = 25;
const SMALL_HEAP = ['--max-old-space-size=96'];
const HALF = Math.floor(REQUESTS / 2);

describe('random requests to a server process', () => {
  const processes = createServerProcesses(undefined, SMALL_HEAP);
  let gatehouse: TestApp;
  let seeds: Seeds;
  let server: ServerProcess;
  beforeAll(async () => {
    gatehouse = await createTestApp({ TRUST_PROXY: '127.0.0.1' });
    seeds = await plantSeeds(gatehouse);
    server = await processes.start({
      DATABASE_URL: gatehouse.database.url,
      SECRET_KEYS: TEST_SECRET_KEY,
      TRUST_PROXY: '127.0.0.1',
      // The line that says where it listens is one of these.
      LOG_LEVEL: 'info',
    });
  }, 60_000);
  afterAll(async () => {
    await processes.killAll();
    await gatehouse.close();
  });

  it(`cause no internal error, ${REQUESTS} times (FUZZ_SEED=${SEED})`, async () => {
    const next = createFuzzer(seeds, SEED);
    const first = await fuzz(server.origin, next, HALF);
    const before = megabytesOf(server);
    const second = await fuzz(server.origin, next, HALF);
    const growth = megabytesOf(server) - before;

    expect([...first.failed, ...second.failed]).toEqual([]);
    expect(server.stderr()).not.toMatch(/"level":"(error|fatal)"|Error:/);
    expect(growth).toBeLessThan(GROWTH_MB);
    // By design: the database or hashing is asked for more than it can do.
    const unavailable = (first.statuses[503] ?? 0) + (second.statuses[503] ?? 0);
    expect(unavailable).toBeLessThan(0.01 * REQUESTS);
    expect((await server.send('GET', '/readyz')).status).toBe(200);
    expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
  }, 900_000);
});

function megabytesOf({ pid }: ServerProcess): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)]).toString()) / 1024;
}

import { beforeAll, describe, expect, it } from '@jest/globals';

import { createFuzzer, fuzz, plantSeeds, type Seeds } from '../support/faults/fuzz.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/** `fuzz.long.test.ts` sends more. */
const REQUESTS = 2000;
const SEED = 20_261_126;

describe('random requests', () => {
  const gatehouse = useGatehouse({ LOG_LEVEL: 'error', TRUST_PROXY: '127.0.0.1' });
  let seeds: Seeds;
  beforeAll(async () => {
    seeds = await plantSeeds(gatehouse);
  });

  it('reach every route', () => {
    const paths = seeds.routes.map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining(['/api/v1/me', '/api/v1/oauth/token', '/login', '/healthz']),
    );
    expect(paths.length).toBeGreaterThan(40);
  });

  it('cause no internal error', async () => {
    const next = createFuzzer(seeds, SEED);
    const { statuses, failed } = await fuzz(gatehouse.origin, next, REQUESTS);

    expect(failed).toEqual([]);
    expect(gatehouse.logged.filter((line) => line.includes('"level":"error"'))).toEqual([]);
    // It reaches what it is meant to reach.
    for (const status of [200, 400, 401, 403, 404, 422])
      expect(statuses[status]).toBeGreaterThan(0.005 * REQUESTS);
    expect(statuses[0] ?? 0).toBeLessThan(0.05 * REQUESTS);
  }, 120_000);
});

import { afterAll, beforeAll, describe, it } from '@jest/globals';

import { createSimulated, simulate, type Simulated } from '../support/faults/simulation.js';

describe('storage', () => {
  let simulated: Simulated;
  beforeAll(async () => {
    simulated = await createSimulated();
  });
  afterAll(() => simulated.gatehouse.close());

  it('stays bounded over a year and keeps every valid row', async () => {
    await simulate(simulated, 365);
  }, 180_000);
});

import { afterAll, beforeAll, describe, it } from '@jest/globals';

import { createTestApp, type TestApp } from '../support/app.js';
import { simulate } from '../support/simulation.js';

describe('storage', () => {
  let gatehouse: TestApp;
  beforeAll(async () => {
    gatehouse = await createTestApp();
  });
  afterAll(() => gatehouse.close());

  it('stays bounded over six weeks, and nothing that lives is dropped', async () => {
    await simulate(gatehouse, 45);
  }, 60_000);
});

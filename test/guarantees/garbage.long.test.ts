import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createTestApp, type TestApp } from '../support/app/app.js';
import { sendMalformed } from '../support/faults/malformed-credentials.js';

const COUNT = 20_000;

describe('a malformed credential', () => {
  let gatehouse: TestApp;
  beforeAll(async () => {
    gatehouse = await createTestApp({ LOG_LEVEL: 'fatal' });
  });
  afterAll(() => gatehouse.close());

  it(`is refused ${COUNT} times without a query`, async () => {
    const before = await gatehouse.database.dump();

    expect(await sendMalformed(gatehouse.origin, COUNT)).toEqual({ 401: COUNT });
    expect(gatehouse.verifierPool.totalCount).toBe(0);
    await gatehouse.app.activity.flush();
    expect(await gatehouse.database.dump()).toBe(before);
  }, 180_000);
});

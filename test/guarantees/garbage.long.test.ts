import { describe, expect, it } from '@jest/globals';

import { sendMalformed } from '../support/faults/malformed-credentials.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const COUNT = 20_000;

describe('a malformed credential', () => {
  const gatehouse = useGatehouse({ LOG_LEVEL: 'fatal' });

  it(`is refused ${COUNT} times without a query`, async () => {
    const before = await gatehouse.database.dump();

    expect(await sendMalformed(gatehouse.origin, COUNT)).toEqual({ 401: COUNT });
    expect(gatehouse.verifierPool.totalCount).toBe(0);
    await gatehouse.app.activity.flush();
    expect(await gatehouse.database.dump()).toBe(before);
  }, 180_000);
});

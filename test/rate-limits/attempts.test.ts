import { describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';

import { createAttemptStore } from '../../src/rate-limits/attempts.js';

import { useGatehouse } from '../support/app/use-gatehouse.js';

const LIMIT = { count: 3, seconds: 60 };

describe('strict limits', () => {
  const gatehouse = useGatehouse();

  const store = () => createAttemptStore(gatehouse.dataSource.manager);

  it('let exactly as many parallel attempts through as they say', async () => {
    const bucket = randomUUID();
    const verdicts = await Promise.all(
      Array.from({ length: 20 }, () => store().take(bucket, LIMIT)),
    );

    expect(verdicts.filter(({ isAllowed }) => isAllowed)).toHaveLength(LIMIT.count);
  });

  it('say when the next attempt may be made, and slide', async () => {
    const bucket = randomUUID();
    for (let n = 0; n < 3; n += 1) await store().take(bucket, LIMIT);
    const refused = await store().take(bucket, LIMIT);
    expect(refused).toEqual({ isAllowed: false, retryAfterSeconds: 60 });

    await gatehouse.database.shiftClock('61 seconds');
    expect(await store().take(bucket, LIMIT)).toEqual({ isAllowed: true });
    await gatehouse.database.shiftClock('0 seconds');
  });

  it('do not count what was given back, nor another bucket', async () => {
    const bucket = randomUUID();
    for (let n = 0; n < 10; n += 1) {
      expect(await store().take(bucket, LIMIT)).toEqual({ isAllowed: true });
      await store().giveBack(bucket);
    }
    for (let n = 0; n < 3; n += 1) await store().take(bucket, LIMIT);
    expect(await store().take(randomUUID(), LIMIT)).toEqual({ isAllowed: true });
  });

  it('forget buckets whose window is over', async () => {
    const bucket = randomUUID();
    await store().take(bucket, LIMIT);
    await gatehouse.database.shiftClock('2 minutes');
    await store().deleteExpired();
    const rows = await gatehouse.database.query('SELECT FROM attempts WHERE bucket = $1', [bucket]);
    expect(rows).toEqual([]);
    await gatehouse.database.shiftClock('0 seconds');
  });
});

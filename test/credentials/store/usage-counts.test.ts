import { afterEach, describe, expect, it, jest } from '@jest/globals';

import { createUsageCounts } from '../../../src/credentials/store/usage-counts.js';
import { useGatehouse } from '../../support/app/use-gatehouse.js';

const HOUR = 3_600_000;

describe('counts of answers', () => {
  const gatehouse = useGatehouse();
  let tenants = 0;
  afterEach(() => {
    jest.restoreAllMocks();
  });

  const newKey = () => {
    tenants += 1;
    return {
      credentialId: `key_${tenants}`,
      tenantId: `tnt_${tenants}`,
      environment: 'live' as const,
      token: undefined,
      exchanged: undefined,
    };
  };
  const rowsOf = (subject: string) =>
    gatehouse.database.query<{ successes: string }>(
      'SELECT successes FROM usage_counts WHERE subject = $1 ORDER BY hour, successes',
      [subject],
    );
  const successes = async (subject: string) =>
    (await rowsOf(subject)).map((row) => Number(row.successes));

  it('are one row for each process and hour, whatever the number of flushes', async () => {
    const counts = createUsageCounts(gatehouse.dataSource);
    const key = newKey();
    for (let round = 0; round < 3; round += 1) {
      counts.note(key, 200);
      counts.note(key, 201);
      await counts.flush();
      await counts.flush();
    }
    // Another replica, or the same one after a restart.
    const next = createUsageCounts(gatehouse.dataSource);
    next.note(key, 200);
    await next.flush();
    expect(await successes(key.credentialId)).toEqual([1, 6]);
    expect(await successes(key.tenantId)).toEqual([1, 6]);
  });

  it('start again with each hour, and keep what was not written of the last one', async () => {
    const counts = createUsageCounts(gatehouse.dataSource);
    const key = newKey();
    const began = Math.floor(Date.now() / HOUR) * HOUR;
    const now = jest.spyOn(Date, 'now').mockReturnValue(began);
    counts.note(key, 200);
    now.mockReturnValue(began + HOUR - 1);
    counts.note(key, 200);
    now.mockReturnValue(began + HOUR);
    counts.note(key, 200);
    await counts.flush();
    expect(await successes(key.credentialId)).toEqual([2, 1]);
  });

  it('are neither lost nor doubled by flushes that fail, also after the database has written them', async () => {
    const faults: ('before' | 'after')[] = ['before', 'after', 'after'];
    const dataSource = {
      async query(text: string, values?: unknown[]) {
        const fault = faults.shift();
        if (fault === 'before') throw new Error('not written');
        const result: unknown = await gatehouse.dataSource.query(text, values);
        if (fault === 'after') throw new Error('written, but nobody knows');
        return result;
      },
    } as Parameters<typeof createUsageCounts>[0];
    const counts = createUsageCounts(dataSource);
    const key = newKey();
    for (let round = 0; round < 3; round += 1) {
      counts.note(key, 200);
      const flushed = counts.flush();
      // Noted while the flush is under way.
      counts.note(key, 200);
      await expect(flushed).rejects.toThrow('written');
      expect(counts.pending()).toBe(2);
    }
    await counts.flush();
    expect(counts.pending()).toBe(0);
    expect(await successes(key.credentialId)).toEqual([6]);
  });

  it('are as of the last flush if the process dies', async () => {
    const counts = createUsageCounts(gatehouse.dataSource);
    const key = newKey();
    counts.note(key, 200);
    await counts.flush();
    counts.note(key, 200);
    expect(await successes(key.credentialId)).toEqual([1]);
  });

  it('leave out answers of 5xx, and write nothing while requests are answered', async () => {
    const query = jest.spyOn(gatehouse.dataSource, 'query');
    const counts = createUsageCounts(gatehouse.dataSource);
    const key = newKey();
    for (const status of [500, 503, 304]) counts.note(key, status);
    expect(counts.pending()).toBe(0);
    for (let times = 0; times < 1000; times += 1) counts.note(key, 200);
    expect(query).not.toHaveBeenCalled();
    expect(counts.pending()).toBe(2);
  });
});

import { describe, expect, it } from '@jest/globals';
import type pg from 'pg';

import { createSecretFormat } from '../../src/credentials/secrets/format.js';
import { type TestApp } from '../support/app/app.js';
import { sendRaw } from '../support/app/raw-http.js';
import { sendMalformed } from '../support/faults/malformed-credentials.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/** `garbage.long.test.ts` sends more. */
const COUNT = 2000;

const format = createSecretFormat({ brand: 'bwp' });

/** Counts how often a connection is taken from one of the pools. */
function watch(gatehouse: TestApp): () => number {
  let count = 0;
  const { master } = gatehouse.dataSource.driver as unknown as { master: pg.Pool };
  for (const pool of [gatehouse.verifierPool, master]) pool.on('acquire', () => (count += 1));
  return () => count;
}

describe('a malformed credential', () => {
  const gatehouse = useGatehouse({ LOG_LEVEL: 'fatal' });

  it(`is refused ${COUNT} times without a query`, async () => {
    const asked = watch(gatehouse);
    const before = await gatehouse.database.dump();

    const statuses = await sendMalformed(gatehouse.origin, COUNT);

    expect(statuses).toEqual({ 401: COUNT });
    expect(asked()).toBe(0);
    expect(gatehouse.verifierPool.totalCount).toBe(0);
    await gatehouse.app.activity.flush();
    expect(await gatehouse.database.dump()).toBe(before);
  }, 120_000);

  it('is looked up when it is well formed', async () => {
    const asked = watch(gatehouse);
    const headers = [['X-API-Key', format.mint('live')]] as const;

    const { status } = await sendRaw(gatehouse.origin, { path: '/api/v1/me', headers });

    expect(status).toBe(401);
    expect(asked()).toBeGreaterThan(0);
  });

  it('is refused beyond 16 KiB by the limit of headers', async () => {
    const headers = [['X-API-Key', 'x'.repeat(40_000)]] as const;

    const { status } = await sendRaw(gatehouse.origin, { path: '/api/v1/me', headers });

    expect(status).toBe(431);
  });
});

import { describe, expect, it } from '@jest/globals';

import { createReadiness } from '../../src/http/readiness.js';

describe('the cost of readiness', () => {
  it('is ten probes a second at most for sequential requests', async () => {
    let now = 0;
    let probes = 0;
    const ask = async () => {
      probes += 1;
      return `probe ${probes}`;
    };
    const readiness = createReadiness({ database: { ask, otherwise: 'away' } }, () => now);

    for (let millisecond = 0; millisecond < 3000; millisecond += 1) {
      now = millisecond;
      await readiness();
    }
    // A burst of ten, then ten in each of three seconds.
    expect(probes).toBeGreaterThan(35);
    expect(probes).toBeLessThanOrEqual(40);
    now += 100;
    expect(await readiness()).toEqual({ database: `probe ${probes}` });
  });

  it('is one probe while the database hangs, and each request gets an answer within a second', async () => {
    const pending: (() => void)[] = [];
    const ask = () => new Promise<string>((resolve) => pending.push(() => resolve('there')));
    const readiness = createReadiness({
      database: { ask, otherwise: 'away' },
      other: { ask: async () => 'there', otherwise: 'away' },
    });

    const started = performance.now();
    const answers = await Promise.all([readiness(), readiness(), readiness()]);
    expect(performance.now() - started).toBeLessThan(1500);
    expect(answers).toEqual(Array(3).fill({ database: 'away', other: 'there' }));
    expect(await readiness()).toEqual({ database: 'away', other: 'there' });
    expect(pending).toHaveLength(1);

    pending[0]?.();
    await new Promise(setImmediate);
    const next = readiness();
    expect(pending).toHaveLength(2);
    pending[1]?.();
    expect(await next).toEqual({ database: 'there', other: 'there' });
  });

  it('reports an error like a missing answer', async () => {
    const ask = () => Promise.reject(new Error('refused'));
    expect(await createReadiness({ database: { ask, otherwise: 'away' } })()).toEqual({
      database: 'away',
    });
  });
});

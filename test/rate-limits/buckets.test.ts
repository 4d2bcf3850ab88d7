import { describe, expect, it } from '@jest/globals';

import { createRateBuckets } from '../../src/rate-limits/buckets.js';

const START = 1_800_000_000_000;

describe('rate buckets', () => {
  it('stay within their number, however many are opened', () => {
    const buckets = createRateBuckets(60, { maxBuckets: 100 });
    for (let n = 0; n < 10_000; n += 1) buckets.add(buckets.open(`bucket ${n}`, START), 1);

    expect(buckets.size()).toBe(100);
    expect(buckets.takeNew()).toHaveLength(100);
    expect(buckets.takePending()).toHaveLength(100);
  });

  it('reserve half of their number for buckets counted by this replica', () => {
    const buckets = createRateBuckets(60, { maxBuckets: 100 });
    for (let n = 0; n < 1000; n += 1) buckets.openForOthers(`bucket ${n}`, START);
    expect(buckets.size()).toBe(50);

    const known = buckets.open('bucket 0', START);
    expect(buckets.openForOthers('bucket 0', START)).toBe(known);
  });

  it('are deleted within two minutes of sweeping after their window ends, and not before', () => {
    const buckets = createRateBuckets(60);
    for (let n = 0; n < 1000; n += 1) buckets.open(`bucket ${n}`, START);
    const busy = buckets.open('busy', START);
    const sweepFor = (from: number) => {
      for (let n = 0; n < 122; n += 1) buckets.sweep(from);
    };
    sweepFor(START + 56_000);
    expect(buckets.size()).toBe(1001);

    buckets.add(buckets.open('busy', START + 56_000), 1);
    sweepFor(START + 61_000);
    expect(buckets.size()).toBe(1);
    expect(buckets.open('busy', START + 61_000)).toBe(busy);
  });

  it('hand over each pending bucket once, and again after it was given back', () => {
    const buckets = createRateBuckets(60);
    const bucket = buckets.open('bucket', START);
    buckets.add(bucket, 1);
    buckets.add(bucket, 1);
    const from = bucket.newest;
    expect(buckets.takePending()).toEqual([{ bucket, from }]);
    expect(buckets.takePending()).toEqual([]);

    buckets.add(buckets.open('bucket', START + 3000), 1);
    buckets.giveBack({ bucket, from });
    expect(buckets.takePending()).toEqual([{ bucket, from }]);
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { createRateBuckets } from '../../src/rate-limits/buckets.js';
import {
  add,
  advance,
  createCount,
  endOf,
  merge,
  ownSince,
  secondsUntilMore,
} from '../../src/rate-limits/sliding-window.js';

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

/** Slots of a window. */
const SLOTS = 20;
const WINDOW_SECONDS = 60;
const FIRST = 600_000_000;

/** A count as a table of all slots. */
function createTable() {
  const own = new Map<number, number>();
  const others = new Map<number, number>();
  let newest = FIRST;
  const unitsIn = (slot: number) => (own.get(slot) ?? 0) + (others.get(slot) ?? 0);
  const slots = () => Array.from({ length: SLOTS }, (_, n) => newest - SLOTS + 1 + n);
  return {
    advance: (slot: number) => {
      newest = Math.max(newest, slot);
    },
    add: (units: number) => void own.set(newest, (own.get(newest) ?? 0) + units),
    merge(slot: number, units: number) {
      if (slot === newest + 1) newest = slot;
      if (slots().includes(slot)) others.set(slot, Math.max(others.get(slot) ?? 0, units));
    },
    used: () => slots().reduce((sum, slot) => sum + unitsIn(slot), 0),
    ownSince: (first: number) =>
      slots()
        .map((slot) => ({ slot, units: own.get(slot) ?? 0 }))
        .filter(({ slot, units }) => slot >= first && units > 0),
    /** The slot after which fewer units are left than the goal. */
    slotUntilMore(goal: number) {
      const from = (slot: number) =>
        slots().reduce((sum, n) => sum + (n > slot ? unitsIn(n) : 0), 0);
      return slots().find((slot) => from(slot) < goal);
    },
    newest: () => newest,
  };
}

const STEP = fc.oneof(
  fc.record({ step: fc.constant('advance' as const), by: fc.integer({ min: -3, max: 25 }) }),
  fc.record({ step: fc.constant('add' as const), units: fc.integer({ min: 0, max: 2 ** 31 }) }),
  fc.record({
    step: fc.constant('merge' as const),
    by: fc.integer({ min: -22, max: 3 }),
    units: fc.integer({ min: 0, max: 2 ** 31 }),
  }),
);

describe('a count within a sliding window', () => {
  it('equals a table of all slots after any steps', () => {
    const limit = 2 ** 32;
    fc.assert(
      fc.property(fc.array(STEP, { maxLength: 60 }), (steps) => {
        const count = createCount('count', FIRST);
        const table = createTable();
        for (const step of steps) {
          const slot = table.newest() + ('by' in step ? step.by : 0);
          if (step.step === 'advance') {
            table.advance(slot);
            advance(count, slot);
          } else if (step.step === 'add') {
            table.add(step.units);
            add(count, step.units);
          } else {
            table.merge(slot, step.units);
            merge(count, slot, step.units);
          }
          const now = endOf(table.newest() - SLOTS, WINDOW_SECONDS);
          const until = table.slotUntilMore(Math.min(limit, table.used()));
          expect(count.used).toBe(table.used());
          expect(ownSince(count, slot - 5)).toEqual(table.ownSince(slot - 5));
          expect(secondsUntilMore(count, { limit, windowSeconds: WINDOW_SECONDS, now })).toBe(
            until === undefined ? 0 : Math.max(1, (endOf(until, WINDOW_SECONDS) - now) / 1000),
          );
        }
      }),
    );
  });
});

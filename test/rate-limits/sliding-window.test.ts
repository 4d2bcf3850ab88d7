import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import {
  add,
  advance,
  createCount,
  merge,
  ownSince,
  secondsUntilMore,
  slotAt,
} from '../../src/rate-limits/sliding-window.js';

const WINDOW_SECONDS = 60;
const WINDOW = WINDOW_SECONDS * 1000;
/** Units may leave the window earlier by this much. */
const GRAIN = WINDOW / 20;

const at = (time: number) => slotAt(time, WINDOW_SECONDS);

describe('a sliding window', () => {
  const steps = fc.array(
    fc.record({ wait: fc.nat(40_000), units: fc.integer({ min: 1, max: 9 }) }),
    {
      minLength: 1,
      maxLength: 60,
    },
  );

  it('holds the units of its length, except perhaps those of the oldest twentieth', () => {
    fc.assert(
      fc.property(steps, fc.nat(WINDOW), (taken, start) => {
        let now = 1_800_000_000_000 + start;
        const count = createCount('bucket', at(now));
        const seen: { time: number; units: number }[] = [];
        const unitsOfLast = (span: number) =>
          seen.filter(({ time }) => time > now - span).reduce((sum, { units }) => sum + units, 0);
        for (const { wait, units } of taken) {
          now += wait;
          advance(count, at(now));
          expect(count.used).toBeLessThanOrEqual(unitsOfLast(WINDOW));
          expect(count.used).toBeGreaterThanOrEqual(unitsOfLast(WINDOW - GRAIN));
          add(count, units);
          seen.push({ time: now, units });
        }
      }),
    );
  });

  it('reports to the second when more is left, and at most its own length', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 100 }), (taken, limit) => {
        let now = 1_800_000_000_000;
        const count = createCount('bucket', at(now));
        for (const { wait, units } of taken) {
          now += wait;
          advance(count, at(now));
          add(count, units);
        }
        const left = () => Math.max(0, limit - count.used);
        const before = left();
        const seconds = secondsUntilMore(count, { limit, windowSeconds: WINDOW_SECONDS, now });
        expect(seconds).toBeGreaterThanOrEqual(1);
        expect(seconds).toBeLessThanOrEqual(WINDOW_SECONDS);
        advance(count, at(now + (seconds - 1) * 1000));
        expect(left()).toBe(before);
        advance(count, at(now + seconds * 1000));
        expect(left()).toBeGreaterThan(before);
      }),
    );
  });

  it('ignores time that steps back', () => {
    const count = createCount('bucket', at(WINDOW));
    advance(count, at(2 * WINDOW));
    add(count, 3);
    advance(count, at(WINDOW));
    add(count, 3);
    expect(count.used).toBe(6);
  });

  it('counts the units of other replicas once, and never fewer than known before', () => {
    const slot = at(WINDOW);
    const count = createCount('bucket', slot);
    add(count, 5);
    merge(count, slot, 20);
    merge(count, slot, 25);
    merge(count, slot, 20);
    expect(count.used).toBe(30);
  });

  it('lists the units of this replica by slot', () => {
    const slot = at(WINDOW);
    const count = createCount('bucket', slot);
    add(count, 5);
    merge(count, slot, 20);
    advance(count, slot + 2);
    add(count, 1);
    add(count, 1);
    const later = { slot: slot + 2, units: 2 };
    expect(ownSince(count, slot)).toEqual([{ slot, units: 5 }, later]);
    expect(ownSince(count, slot + 1)).toEqual([later]);
    advance(count, slot + 21);
    expect(ownSince(count, slot)).toEqual([later]);
  });

  it('ignores slots that left the window and slots further ahead than the next', () => {
    const slot = at(WINDOW);
    const count = createCount('bucket', slot);
    merge(count, slot - 20, 7);
    merge(count, slot + 2, 7);
    expect(count.used).toBe(0);
    merge(count, slot + 1, 7);
    expect(count.used).toBe(7);
  });
});

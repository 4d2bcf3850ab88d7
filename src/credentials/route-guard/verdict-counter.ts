import { Counter, type Registry } from 'prom-client';

import { REASONS, type Reason } from './refusals.js';

/** Counts the verdicts of the guard, by outcome. */
export function createVerdictCounter(register: Registry): (verdict: Reason | 'accepted') => void {
  // perf: counted in a map and copied on collection, because resolving a label costs more than counting.
  const counts = new Map<string, number>(['accepted', ...REASONS].map((v) => [v, 0]));
  const counter = new Counter({
    name: 'gatehouse_verdicts_total',
    help: 'Credentials judged, by outcome: accepted, or the reason of the refusal.',
    labelNames: ['verdict'] as const,
    registers: [register],
    collect() {
      counter.reset();
      for (const [verdict, count] of counts) counter.inc({ verdict }, count);
    },
  });
  return (verdict) => void counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
}

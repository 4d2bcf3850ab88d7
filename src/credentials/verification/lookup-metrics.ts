import type pg from 'pg';
import { Gauge, type Registry } from 'prom-client';

import { createHistogram } from '../../http/histogram.js';

/** The metrics of batched lookups and of their pool. @param waiting how many lookups wait for a connection */
export function createLookupMetrics(pool: pg.Pool, register: Registry, waiting: () => number) {
  const connections = new Gauge({
    name: 'gatehouse_verifier_pool_connections',
    help: "Connections of the verifier's pool; lookups that wait for one.",
    labelNames: ['state'] as const,
    registers: [register],
    collect() {
      connections.set({ state: 'idle' }, pool.idleCount);
      connections.set({ state: 'busy' }, pool.totalCount - pool.idleCount);
      connections.set({ state: 'waiting' }, waiting());
    },
  });
  new Gauge({
    name: 'gatehouse_verifier_pool_max_connections',
    help: "Connections of the verifier's pool, at most.",
    registers: [register],
  }).set(pool.options.max);
  return {
    size: createHistogram({
      name: 'gatehouse_lookup_batch_size',
      help: 'Credentials looked up by one query.',
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
      register,
    })({}),
    seconds: createHistogram({
      name: 'gatehouse_lookup_batch_duration_seconds',
      help: 'Time that one lookup query took.',
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5],
      register,
    })({}),
  };
}

import { Gauge, type Registry } from 'prom-client';
import type { DataSource } from 'typeorm';

import { poolStateOf } from './data-source.js';

/** Registers metrics of a data source's pool and of commits that wait for a synchronous standby. */
export function registerPoolMetrics(dataSource: DataSource, register: Registry): void {
  const connections = new Gauge({
    name: 'gatehouse_database_pool_connections',
    help: 'Connections for everything but verification; requests that wait for one.',
    labelNames: ['state'] as const,
    registers: [register],
    collect() {
      const { idle, busy, waiting } = poolStateOf(dataSource);
      connections.set({ state: 'idle' }, idle);
      connections.set({ state: 'busy' }, busy);
      connections.set({ state: 'waiting' }, waiting);
    },
  });
  const limit = new Gauge({
    name: 'gatehouse_database_pool_max_connections',
    help: 'Connections for everything but verification, at most: DATABASE_POOL_SIZE.',
    registers: [register],
    collect() {
      limit.set(poolStateOf(dataSource).max);
    },
  });
  const commits = new Gauge({
    name: 'gatehouse_commits_awaiting_standby',
    help: 'Commits of all replicas that have waited more than 5 seconds for a synchronous standby.',
    registers: [register],
    // Each process counts those of all.
    aggregator: 'max',
    collect() {
      commits.set(poolStateOf(dataSource).commitsAwaitingStandby);
    },
  });
}

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';

import { createDataSource } from '../../src/db/data-source.js';
import { migrate } from '../../src/db/migrate.js';
import { endOf, slotAt } from '../../src/rate-limits/sliding-window.js';
import { createRateWindowStore } from '../../src/rate-limits/window-store.js';
import { ENTITIES } from '../../src/server/entities.js';
import { until } from '../support/app/until.js';
import {
  startTemporaryPostgres,
  type TemporaryPostgres,
} from '../support/database/temporary-postgres.js';

const HOUR = 3600;
const BUCKETS = 500;
const ROUNDS = 40;

// A server of its own: a transaction that another test leaves open keeps PostgreSQL from reusing the room of dead rows.
let postgres: TemporaryPostgres;
let dataSource: DataSource;
beforeAll(async () => {
  postgres = await startTemporaryPostgres({ autovacuum: 'off' });
  const { connection } = postgres;
  dataSource = await createDataSource(connection, ENTITIES, console.error, 'startup').initialize();
  await migrate(dataSource, { log: { info: () => undefined, warn: console.warn } });
}, 60_000);
afterAll(async () => {
  await dataSource.destroy();
  await postgres.stop();
});

it('updates counts in place that are published every second', async () => {
  const store = createRateWindowStore(dataSource.manager, [HOUR]);
  const buckets = Array.from({ length: BUCKETS }, (_, bucket) => bucket);
  const endsAt = endOf(slotAt(Date.now(), HOUR), HOUR);
  for (let units = 1; units <= ROUNDS; units++) {
    // A second each by the database's clock: the indexed time changes too.
    await dataSource.query(
      `CREATE OR REPLACE FUNCTION gatehouse_now() RETURNS timestamptz LANGUAGE sql STABLE
         AS $$ SELECT statement_timestamp() + interval '${units} seconds' $$`,
    );
    await store.publish({
      windowSeconds: HOUR,
      buckets: buckets.map((bucket) => `bucket ${bucket}`),
      endsAt: buckets.map(() => endsAt),
      units: buckets.map(() => units),
    });
  }
  const updates = BUCKETS * (ROUNDS - 1);
  let seen = { updates: 0, hot: 0, pages: 0 };
  await until(
    async () => {
      const [row] = await dataSource.query<(typeof seen)[]>(
        `SELECT n_tup_upd::int AS updates, n_tup_hot_upd::int AS hot,
           (pg_table_size('rate_windows') / 8192)::int AS pages
         FROM pg_stat_user_tables WHERE relname = 'rate_windows'`,
      );
      seen = row ?? seen;
      return seen.updates >= updates;
    },
    { withinMs: 10_000, what: 'the statistics tell of every update' },
  );
  expect(seen.updates).toBe(updates);
  // Three of the 39 rounds cross a border of 15 seconds.
  expect(seen.hot / seen.updates).toBeGreaterThan(0.85);
  // Pages are reused: one row version each would be more than 300.
  expect(seen.pages).toBeLessThan(100);
});

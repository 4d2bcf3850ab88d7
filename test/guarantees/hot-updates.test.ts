import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';

import { createLastUse, CREDENTIAL_USES } from '../../src/credentials/store/last-use.js';
import { createUsageCounts } from '../../src/credentials/store/usage-counts.js';
import { createDataSource } from '../../src/db/data-source.js';
import { migrate } from '../../src/db/migrate.js';
import { makePartitions } from '../../src/db/partitions.js';
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
const KEYS = 1000;

// A server of its own: a transaction that another test leaves open keeps PostgreSQL from reusing the room of dead rows.
let postgres: TemporaryPostgres;
let dataSource: DataSource;
beforeAll(async () => {
  postgres = await startTemporaryPostgres({ autovacuum: 'off' });
  const { connection } = postgres;
  dataSource = await createDataSource(connection, ENTITIES, console.error, 'startup').initialize();
  await migrate(dataSource, { log: { info: () => undefined, warn: console.warn } });
  await makePartitions(dataSource);
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
    await shiftClock(`${units} seconds`);
    await store.publish({
      windowSeconds: HOUR,
      buckets: buckets.map((bucket) => `bucket ${bucket}`),
      endsAt: buckets.map(() => endsAt),
      units: buckets.map(() => units),
    });
  }
  const updates = BUCKETS * (ROUNDS - 1);
  const seen = await updatesOf('rate_windows', updates);
  expect(seen.updates).toBe(updates);
  // Three of the 39 rounds cross a border of 15 seconds.
  expect(seen.hot / seen.updates).toBeGreaterThan(0.85);
  // Pages are reused: one row version each would be more than 300.
  expect(seen.pages).toBeLessThan(100);
});

it('updates last uses and counts of answers in place', async () => {
  const rounds = 10;
  const keys = await createKeys();
  const uses = createLastUse(dataSource, CREDENTIAL_USES);
  const counts = createUsageCounts(dataSource);
  for (let round = 0; round < rounds; round += 1) {
    // An hour each by the database's clock, so that the last use is later than the one before.
    await shiftClock(`${round} hours`);
    for (const credentialId of keys) {
      uses.note(credentialId, '192.0.2.1');
      counts.note(
        {
          credentialId,
          tenantId: 'tnt_1',
          environment: 'live',
          token: undefined,
          exchanged: undefined,
        },
        200,
      );
    }
    await uses.flush();
    await counts.flush();
  }
  const updates = keys.length * (rounds - 1);
  for (const table of ['credential_uses', 'usage_counts_%']) {
    const seen = await updatesOf(table, updates);
    expect([table, seen.hot / seen.updates > 0.9]).toEqual([table, true]);
  }
});

/** Creates keys with the ids that their last uses refer to. */
async function createKeys(): Promise<readonly string[]> {
  await dataSource.query(`INSERT INTO tenants (id, slug, name) VALUES ('tnt_1', 'one', 'One')`);
  const rows = await dataSource.query<{ id: string }[]>(
    `INSERT INTO credentials (id, tenant_id, kind, environment, name, scopes, principal_kind, principal_id, digest,
       digest_key_id, masked_key, subjects, issue_seq, created_by)
     SELECT 'key_' || n, 'tnt_1', 'secret', 'live', 'Key', '{}', 'tenant', 'tnt_1', n, 'x', 'x', '{}', n, 'test'
     FROM generate_series(1, ${KEYS}) AS n RETURNING id`,
  );
  return rows.map(({ id }) => id);
}

function shiftClock(by: string): Promise<unknown> {
  return dataSource.query(
    `CREATE OR REPLACE FUNCTION gatehouse_now() RETURNS timestamptz LANGUAGE sql STABLE
       AS $$ SELECT statement_timestamp() + interval '${by}' $$`,
  );
}

interface Updates {
  readonly updates: number;
  readonly hot: number;
  readonly pages: number;
}

/** The updates of a table, or of all tables of a pattern, once the statistics tell of that many. */
async function updatesOf(table: string, count: number): Promise<Updates> {
  let seen: Updates = { updates: 0, hot: 0, pages: 0 };
  await until(
    async () => {
      const [row] = await dataSource.query<Updates[]>(
        `SELECT sum(n_tup_upd)::int AS updates, sum(n_tup_hot_upd)::int AS hot,
           sum(pg_table_size(relid) / 8192)::int AS pages
         FROM pg_stat_user_tables WHERE relname LIKE $1`,
        [table],
      );
      seen = row ?? seen;
      return seen.updates >= count;
    },
    { withinMs: 10_000, what: 'the statistics tell of every update' },
  );
  return seen;
}

import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/** Tables whose rows are rewritten or replaced all the time: the share of dead rows at which they are vacuumed. */
const BUSY = ['attempts', 'credential_uses', 'idempotency_records', 'rate_windows', 'sessions'];
const VACUUM =
  'autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay';

/**
 * Lets PostgreSQL update rows of `rate_windows` in place (HOT): no index holds a column that each update changes, and
 * pages keep room for the next version (decision 17). The column that is indexed instead changes every 15 seconds.
 *
 * Adding it rewrites the table, which holds an hour of counts and which no request waits for. It is generated, so that
 * replicas of the earlier release fill it too.
 */
export class HotUpdates1764150100000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX rate_windows_by_change;
      ALTER TABLE rate_windows SET (fillfactor = 40);
      ALTER TABLE rate_windows ADD COLUMN changed_within timestamptz NOT NULL GENERATED ALWAYS AS
        (date_bin('15 seconds', changed_at, timestamptz '2000-01-01 00:00:00+00')) STORED;
      CREATE INDEX rate_windows_by_change ON rate_windows (window_seconds, changed_within);
      ALTER TABLE sessions SET (fillfactor = 80);
    `);
    for (const table of BUSY) {
      await runner.query(`ALTER TABLE ${table} SET (autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0)`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of BUSY) await runner.query(`ALTER TABLE ${table} RESET (${VACUUM})`);
    await runner.query(`
      ALTER TABLE sessions RESET (fillfactor);
      DROP INDEX rate_windows_by_change;
      ALTER TABLE rate_windows DROP COLUMN changed_within;
      ALTER TABLE rate_windows RESET (fillfactor);
      CREATE INDEX rate_windows_by_change ON rate_windows (window_seconds, changed_at);
    `);
  }
}

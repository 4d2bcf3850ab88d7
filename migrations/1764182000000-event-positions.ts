import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/** The index of the audit log in the order of the feed of events. */
export const EVENT_INDEX = 'audit_log_by_xid';
export const EVENT_ORDER = '(xid, id)';

/**
 * The transaction of each audit entry, by which the feed of events compares snapshots. Entries of before have 0, which
 * every snapshot includes; no row is written. Replicas of the earlier release write it too, by the default.
 */
export class EventPositions1764182000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE audit_log ADD COLUMN xid xid8 NOT NULL DEFAULT '0';
      ALTER TABLE audit_log ALTER COLUMN xid SET DEFAULT pg_current_xact_id();
      CREATE INDEX ${EVENT_INDEX} ON ONLY audit_log ${EVENT_ORDER};
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE audit_log DROP COLUMN xid');
  }
}

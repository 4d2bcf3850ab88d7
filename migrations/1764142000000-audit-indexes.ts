import type { QueryRunner } from 'typeorm';

import { findBorder } from './1764141000000-audit-border.js';
import type { Migration } from './migration.js';

/** Prepares the audit log for becoming a partition, while it is read and written to. */
export class AuditIndexes1764142000000 implements Migration {
  readonly olderPrograms = 'compatible';
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    const border = await findBorder(runner);
    if (border === undefined) throw new Error('the audit log has no border');
    await runner.query(`ALTER TABLE audit_log VALIDATE CONSTRAINT ${border.constraint}`);
    for (const [name, columns] of Object.entries(AUDIT_INDEXES)) {
      // An index whose building was interrupted is there, but not valid.
      await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
      await runner.query(`CREATE UNIQUE INDEX CONCURRENTLY ${name} ON audit_log (${columns})`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const name of Object.keys(AUDIT_INDEXES)) {
      await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
    }
  }
}

/** What is unique in a partitioned table includes the column that it is partitioned by. */
export const AUDIT_INDEXES = {
  audit_log_at_id: 'at, id',
  audit_log_coalesced_at: 'coalesced_by, at',
} as const;

import type { QueryRunner } from 'typeorm';

import { AUDIT_LIST_INDEXES, indexOf, partitionsWithout } from './1764161000000-audit-lists.js';
import type { Migration } from './migration.js';

/** Builds the indexes of the lists for each partition of the audit log, while it is written to. */
export class AuditListIndexes1764161100000 implements Migration {
  readonly olderPrograms = 'compatible';
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    for (const [name, columns] of Object.entries(AUDIT_LIST_INDEXES)) {
      for (const partition of await partitionsWithout(runner, name)) {
        const own = indexOf(partition, name);
        // An index whose building was interrupted is there, but not valid.
        await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${own}`);
        await runner.query(`CREATE INDEX CONCURRENTLY ${own} ON ${partition} ${columns}`);
      }
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const name of Object.keys(AUDIT_LIST_INDEXES)) {
      for (const partition of await partitionsWithout(runner, name)) {
        await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${indexOf(partition, name)}`);
      }
    }
  }
}

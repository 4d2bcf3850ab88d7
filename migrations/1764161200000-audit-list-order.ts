import type { QueryRunner } from 'typeorm';

import { AUDIT_LIST_INDEXES, indexOf, partitionsWithout } from './1764161000000-audit-lists.js';
import type { Migration } from './migration.js';

/**
 * Attaches the indexes of the partitions to those of the audit log. Drops the index by id, which no list uses: refusals
 * are entered later than they happened.
 */
export class AuditListOrder1764161200000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    for (const [name, columns] of Object.entries(AUDIT_LIST_INDEXES)) {
      for (const partition of await partitionsWithout(runner, name)) {
        const own = indexOf(partition, name);
        // A partition that was made since is empty.
        await runner.query(`CREATE INDEX IF NOT EXISTS ${own} ON ${partition} ${columns}`);
        await runner.query(`ALTER INDEX ${name} ATTACH PARTITION ${own}`);
      }
    }
    await runner.query('DROP INDEX audit_log_of_tenant');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE INDEX audit_log_of_tenant ON audit_log (tenant_id, id)');
  }
}

import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

const INDEXES = {
  memberships_listed: 'memberships (tenant_id, account_id)',
  grants_listed: 'grants (account_id, issue_seq)',
} as const;

/**
 * Members are listed by their tenant and account, grants by their account and the order of issue: each page reads one
 * range, and the primary key is not walked through the rows of other tenants.
 */
export class ListIndexes1764144000000 implements Migration {
  readonly olderPrograms = 'compatible';
  // Outside of a transaction an index can be built while the table is written to.
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    for (const [name, columns] of Object.entries(INDEXES)) {
      // An index whose building was interrupted is there, but not valid.
      await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
      await runner.query(`CREATE INDEX CONCURRENTLY ${name} ON ${columns}`);
    }
    await runner.query('DROP INDEX CONCURRENTLY IF EXISTS memberships_of_tenant');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX CONCURRENTLY IF EXISTS memberships_of_tenant');
    await runner.query(
      'CREATE INDEX CONCURRENTLY memberships_of_tenant ON memberships (tenant_id)',
    );
    for (const name of Object.keys(INDEXES)) {
      await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
    }
  }
}

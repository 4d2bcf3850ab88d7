import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/** The administrators of a tenant are found in one range, in the order in which they joined. */
export class Administrators1764168000000 implements Migration {
  readonly olderPrograms = 'compatible';
  // Outside of a transaction an index can be built while the table is written to.
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    // An index whose building was interrupted is there, but not valid.
    await this.down(runner);
    await runner.query(`CREATE INDEX CONCURRENTLY memberships_administrators
      ON memberships (tenant_id, role, created_at, account_id)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX CONCURRENTLY IF EXISTS memberships_administrators');
  }
}

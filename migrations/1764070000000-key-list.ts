import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/** Lists of keys read one short range of an index for each environment and kind, however many keys there are. */
export class KeyList1764070000000 implements Migration {
  readonly olderPrograms = 'compatible';
  // Outside of a transaction an index can be built while the table is written to.
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    // An index whose building was interrupted is there, but not valid.
    await runner.query('DROP INDEX CONCURRENTLY IF EXISTS credentials_listed');
    await runner.query(`CREATE INDEX CONCURRENTLY credentials_listed
      ON credentials (tenant_id, environment, kind, issue_seq)`);
    // Every query that used it finds its tenant by the new one.
    await runner.query('DROP INDEX CONCURRENTLY IF EXISTS credentials_of_tenant');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX CONCURRENTLY IF EXISTS credentials_of_tenant');
    await runner.query(`CREATE INDEX CONCURRENTLY credentials_of_tenant
      ON credentials (tenant_id, issue_seq)`);
    await runner.query('DROP INDEX CONCURRENTLY IF EXISTS credentials_listed');
  }
}

import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

const INDEX = 'credentials_in_order';

/** A list of all keys that a tenant manages is one range of an index, rather than one for each environment and kind. */
export class KeysInOrder1764190000000 implements Migration {
  readonly olderPrograms = 'compatible';
  // Outside of a transaction an index can be built while the table is written to.
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    // An index whose building was interrupted is there, but not valid.
    await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${INDEX}`);
    await runner.query(`CREATE INDEX CONCURRENTLY ${INDEX} ON credentials (tenant_id, issue_seq)
      WHERE principal_kind <> 'user'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${INDEX}`);
  }
}

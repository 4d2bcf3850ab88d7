import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/**
 * The accounts whose password is still hashed as another system did, by the work of a check. Every sign-in reads the last
 * entry. Once their owners have signed in, the index is empty.
 */
export class ImportedPasswords1764184000000 implements Migration {
  readonly olderPrograms = 'compatible';
  // Outside of a transaction an index can be built while the table is written to.
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    // An index whose building was interrupted is there, but not valid.
    await runner.query('DROP INDEX CONCURRENTLY IF EXISTS accounts_imported_passwords');
    await runner.query(
      `CREATE INDEX CONCURRENTLY accounts_imported_passwords ON accounts (password_hash COLLATE "C")
       WHERE password_hash LIKE '~%'`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX CONCURRENTLY IF EXISTS accounts_imported_passwords');
  }
}

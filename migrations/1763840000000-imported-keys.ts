import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Keys that were issued elsewhere: what they start with, since they are not written like ours. */
export class ImportedKeys1763840000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE credentials ADD COLUMN imported_prefix text');
    // Personal tokens are listed by whose they are.
    await runner.query(`CREATE INDEX credentials_of_account ON credentials (principal_id, issue_seq)
      WHERE principal_kind = 'user'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX credentials_of_account');
    // Without the column they would be taken for keys of ours, under digests that none can have.
    await runner.query('ALTER TABLE credentials DROP COLUMN imported_prefix');
  }
}

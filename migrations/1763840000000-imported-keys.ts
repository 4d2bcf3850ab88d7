import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Keys that were issued elsewhere: what they start with, since they are not written like ours. */
export class ImportedKeys1763840000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE credentials ADD COLUMN imported_prefix text');
    // Servers know them by heart: what starts otherwise, and is not written like ours, is not looked up.
    await runner.query(`CREATE TABLE imported_prefixes (
      prefix text COLLATE "C" CONSTRAINT imported_prefixes_pkey PRIMARY KEY,
      declared_at timestamptz NOT NULL DEFAULT gatehouse_now()
    )`);
    // Personal tokens are listed by whose they are.
    await runner.query(`CREATE INDEX credentials_of_account ON credentials (principal_id, issue_seq)
      WHERE principal_kind = 'user'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX credentials_of_account');
    await runner.query('DROP TABLE imported_prefixes');
    // Without the column they would be taken for keys of ours, under digests that none can have.
    await runner.query('ALTER TABLE credentials DROP COLUMN imported_prefix');
  }
}

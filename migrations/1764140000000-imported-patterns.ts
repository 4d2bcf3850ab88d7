import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/**
 * Keys that were issued elsewhere without a common prefix, by their exact form. An older program refuses
 * them: it looks up what starts with a declared prefix only.
 */
export class ImportedPatterns1764140000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE credentials ADD COLUMN imported_pattern text');
    await runner.query(`CREATE TABLE imported_patterns (
      pattern text COLLATE "C" CONSTRAINT imported_patterns_pkey PRIMARY KEY,
      declared_at timestamptz NOT NULL DEFAULT gatehouse_now()
    )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE imported_patterns');
    await runner.query('ALTER TABLE credentials DROP COLUMN imported_pattern');
  }
}

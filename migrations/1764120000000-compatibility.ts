import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/** What migrations declare to programs that do not know them. See `src/db/schema-state.ts`. */
export class Compatibility1764120000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE migration_declarations (
      name text COLLATE "C" CONSTRAINT migration_declarations_pkey PRIMARY KEY,
      older_programs text NOT NULL CONSTRAINT migration_declarations_older_programs
        CHECK (older_programs IN ('compatible', 'restricting'))
    )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE migration_declarations');
  }
}

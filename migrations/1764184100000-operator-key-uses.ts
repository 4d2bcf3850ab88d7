import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/** The last uses of operator keys, apart from the keys, which each call reads. */
export class OperatorKeyUses1764184100000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE operator_key_uses (
        operator_key_id text COLLATE "C" CONSTRAINT operator_key_uses_pkey PRIMARY KEY
          CONSTRAINT operator_key_uses_operator_key_fkey REFERENCES operator_keys ON DELETE CASCADE,
        used_at timestamptz NOT NULL,
        address text
      ) WITH (fillfactor = 70);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE operator_key_uses');
  }
}

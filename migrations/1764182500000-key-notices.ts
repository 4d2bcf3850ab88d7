import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/** Which notices were given about keys that expire or are not used, so that each is given once. */
export class KeyNotices1764182500000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE key_notices (
        credential_id text COLLATE "C" NOT NULL REFERENCES credentials ON DELETE CASCADE,
        notice text COLLATE "C" NOT NULL,
        since timestamptz NOT NULL,
        CONSTRAINT key_notices_pkey PRIMARY KEY (credential_id, notice, since)
      );
      CREATE TABLE key_sweep (
        single boolean CONSTRAINT key_sweep_pkey PRIMARY KEY DEFAULT true CHECK (single),
        swept_at timestamptz NOT NULL DEFAULT '-infinity'
      );
      INSERT INTO key_sweep DEFAULT VALUES;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE key_sweep, key_notices');
  }
}

import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/** Secrets of new keys between the form that makes them and the page that shows them once. */
export class SecretHandovers1764160000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE secret_handovers (
        digest text COLLATE "C" CONSTRAINT secret_handovers_pkey PRIMARY KEY,
        session_id text COLLATE "C" NOT NULL,
        tenant_id text COLLATE "C" NOT NULL,
        credential_id text COLLATE "C" NOT NULL,
        ciphertext bytea,
        ciphertext_key_id text COLLATE "C",
        expires_at timestamptz NOT NULL,
        CONSTRAINT secret_handovers_sealed CHECK ((ciphertext IS NULL) = (ciphertext_key_id IS NULL))
      );
      CREATE INDEX secret_handovers_expired ON secret_handovers (expires_at);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE secret_handovers');
  }
}

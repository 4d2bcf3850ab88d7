import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/** Keys of the operator's API. An older program has no such API, and takes them for malformed. */
export class OperatorKeys1764175000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE operator_keys (
        id text COLLATE "C" CONSTRAINT operator_keys_pkey PRIMARY KEY,
        name text NOT NULL,
        scopes text[] NOT NULL,
        allowed_ips text[],
        expires_at timestamptz,
        replaces text COLLATE "C",
        digest text COLLATE "C" NOT NULL CONSTRAINT operator_keys_digest_key UNIQUE,
        digest_key_id text COLLATE "C" NOT NULL,
        masked text NOT NULL,
        subjects text[] COLLATE "C" NOT NULL,
        issue_seq bigint NOT NULL,
        created_at timestamptz NOT NULL DEFAULT gatehouse_now()
      );
      CREATE INDEX operator_keys_digest_keys ON operator_keys (digest_key_id);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE operator_keys');
  }
}

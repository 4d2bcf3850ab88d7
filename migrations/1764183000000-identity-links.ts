import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/** Identities of sign-in providers. An older program signs in with passwords only. */
export class IdentityLinks1764183000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE identity_links (
        issuer text COLLATE "C" NOT NULL,
        subject text COLLATE "C" NOT NULL,
        account_id text COLLATE "C" NOT NULL CONSTRAINT identity_links_account_fkey
          REFERENCES accounts (id) ON DELETE CASCADE,
        email text,
        created_at timestamptz NOT NULL DEFAULT gatehouse_now(),
        CONSTRAINT identity_links_pkey PRIMARY KEY (issuer, subject),
        CONSTRAINT identity_links_account_key UNIQUE (account_id, issuer)
      )
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE identity_links');
  }
}

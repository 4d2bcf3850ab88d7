import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/** Key sets that clients published and authenticated with. An older program remembers them in memory only. */
export class ClientKeys1764171100000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE client_keys (
        client_id text COLLATE "C" CONSTRAINT client_keys_pkey PRIMARY KEY
          CONSTRAINT client_keys_client_fkey REFERENCES clients (id) ON DELETE CASCADE,
        jwks_uri text NOT NULL,
        keys jsonb NOT NULL,
        fetched_at timestamptz NOT NULL
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE client_keys');
  }
}

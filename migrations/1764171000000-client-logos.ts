import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/** Pictures of the logos that clients name in their metadata. An older program shows none. */
export class ClientLogos1764171000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE client_logos (
        client_id text COLLATE "C" CONSTRAINT client_logos_pkey PRIMARY KEY
          CONSTRAINT client_logos_client_fkey REFERENCES clients (id) ON DELETE CASCADE,
        -- The last part of the address that the picture has here.
        address text COLLATE "C" NOT NULL CONSTRAINT client_logos_address_key UNIQUE,
        logo_uri text NOT NULL,
        -- A PNG file of our own encoder; NULL until one was fetched.
        picture bytea,
        -- When it may be fetched again.
        retry_at timestamptz NOT NULL
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE client_logos');
  }
}

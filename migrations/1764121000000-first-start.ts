import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/** Whether the password and the key that the first start made were shown to anybody. */
export class FirstStart1764121000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE first_start (
      tenant_id text COLLATE "C" CONSTRAINT first_start_pkey PRIMARY KEY
        CONSTRAINT first_start_tenant_fkey REFERENCES tenants,
      email text NOT NULL,
      key_id text COLLATE "C" NOT NULL,
      has_unknown_password boolean NOT NULL,
      shown_at timestamptz
    )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE first_start');
  }
}

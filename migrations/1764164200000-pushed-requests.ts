import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/**
 * Pushed authorization requests (RFC 9126), and whether the operator requires them of a client.
 *
 * An older program does not know the requirement. The operator sets it with the newer one, so that it holds once every
 * replica is updated.
 */
export class PushedRequests1764164200000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE pushed_requests (
        digest text COLLATE "C" CONSTRAINT pushed_requests_pkey PRIMARY KEY,
        client_id text COLLATE "C" NOT NULL,
        parameters jsonb NOT NULL,
        expires_at timestamptz NOT NULL
      );
      CREATE INDEX pushed_requests_by_expiry ON pushed_requests (expires_at);
      ALTER TABLE clients ADD COLUMN requires_pushed_requests boolean NOT NULL DEFAULT false;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE clients DROP COLUMN requires_pushed_requests;
      DROP TABLE pushed_requests;
    `);
  }
}

import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/**
 * Clients that a tenant blocks are listed in the order of blocking. Adding the column rewrites the table, which holds
 * only what operators and administrators have blocked by hand.
 */
export class BlockedClients1764163100000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE client_blocks ADD COLUMN seq bigserial NOT NULL;
      DROP INDEX client_blocks_of_tenant;
      CREATE INDEX client_blocks_of_tenant ON client_blocks (tenant_id, seq);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX client_blocks_of_tenant;
      ALTER TABLE client_blocks DROP COLUMN seq;
      CREATE INDEX client_blocks_of_tenant ON client_blocks (tenant_id);
    `);
  }
}

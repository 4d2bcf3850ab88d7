import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

const INDEX = 'grants_of_tenant_by_client';

/** The search for connected apps steps through the clients of a tenant, and reads the newest grants of each. */
export class ClientsOfTenant1764187100000 implements Migration {
  readonly olderPrograms = 'compatible';
  // Outside of a transaction an index can be built while the table is written to.
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    // An index whose building was interrupted is there, but not valid.
    await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${INDEX}`);
    await runner.query(
      `CREATE INDEX CONCURRENTLY ${INDEX} ON grants (tenant_id, client_id, issue_seq)`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${INDEX}`);
  }
}

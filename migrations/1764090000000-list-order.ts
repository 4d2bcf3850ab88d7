import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

const INDEXES = {
  contacts_listed: 'contacts (tenant_id, environment, space_id, created_at, id)',
  contacts_listed_by_type: 'contacts (tenant_id, environment, space_id, type, created_at, id)',
  products_listed: 'products (tenant_id, environment, space_id, created_at, id)',
};

/**
 * Contacts and products are listed by the time of their creation: an order that the primary key does
 * not give, so that no page is read by walking it through the rows of other tenants. Older programs
 * that list by id go on to work, with a sort.
 */
export class ListOrder1764090000000 implements Migration {
  readonly olderPrograms = 'compatible';
  // Outside of a transaction an index can be built while the table is written to.
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    for (const [name, columns] of Object.entries(INDEXES)) {
      // An index whose building was interrupted is there, but not valid.
      await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
      await runner.query(
        `CREATE INDEX CONCURRENTLY ${name} ON ${columns} WHERE deleted_at IS NULL`,
      );
    }
    await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS contacts_of_space`);
    await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS products_of_space`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['contacts', 'products']) {
      await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${table}_of_space`);
      await runner.query(
        `CREATE INDEX CONCURRENTLY ${table}_of_space
           ON ${table} (tenant_id, environment, space_id, id) WHERE deleted_at IS NULL`,
      );
    }
    for (const name of Object.keys(INDEXES)) {
      await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
    }
  }
}

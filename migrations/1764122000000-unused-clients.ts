import type { QueryRunner } from 'typeorm';

import { inEach } from './batches.js';
import type { Migration } from './migration.js';

/**
 * Gives an end to clients that were registered before `unused_since` was recorded and have not been used.
 * Whether one of them had a grant earlier is not recorded: public ones come back by registering, so only
 * those are given an end.
 */
export class UnusedClients1764122000000 implements Migration {
  readonly olderPrograms = 'compatible';
  // Batches, each with a transaction of its own: an installation may have many clients.
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await inEach(runner, { table: 'clients', column: 'id' }, async (from, to) => {
      // Locked first and looked at by a second statement: a grant that is being created waits for the row,
      // and its trigger then finds what is written here.
      await runner.query(
        `SELECT FROM clients WHERE id > $1 AND id <= $2 AND unused_since IS NULL FOR UPDATE`,
        [from, to],
      );
      await runner.query(
        `UPDATE clients c SET unused_since = gatehouse_now()
         WHERE id > $1 AND id <= $2 AND unused_since IS NULL
           AND secret_digest IS NULL AND NOT is_verified AND blocked_at IS NULL
           AND NOT EXISTS (SELECT FROM grants WHERE client_id = c.id)
           AND NOT EXISTS (SELECT FROM consents WHERE client_id = c.id)
           AND NOT EXISTS (SELECT FROM client_blocks WHERE client_id = c.id)`,
        [from, to],
      );
    });
    await runner.query('DROP INDEX CONCURRENTLY IF EXISTS clients_unused');
    await runner.query(`CREATE INDEX CONCURRENTLY clients_unused ON clients (unused_since)
      WHERE unused_since IS NOT NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX CONCURRENTLY IF EXISTS clients_unused');
  }
}

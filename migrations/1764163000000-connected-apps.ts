import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

const INDEXES = {
  grants_of_member: 'grants (account_id, tenant_id, issue_seq)',
  grants_of_client_in_tenant: 'grants (client_id, tenant_id, issue_seq)',
} as const;
/** Their columns are the first ones of the indexes above. */
const REPLACED = {
  grants_of_account: 'grants (account_id, tenant_id)',
  grants_of_client: 'grants (client_id)',
} as const;

/**
 * Lists of grants read one range of an index: by member, or by client in a tenant. `grant_uses` holds the last use of
 * each grant.
 */
export class ConnectedApps1764163000000 implements Migration {
  readonly olderPrograms = 'compatible';
  // Outside of a transaction an index can be built while the table is written to.
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE IF NOT EXISTS grant_uses (
        grant_id text COLLATE "C" CONSTRAINT grant_uses_pkey PRIMARY KEY
          CONSTRAINT grant_uses_grant_fkey REFERENCES grants ON DELETE CASCADE,
        used_at timestamptz NOT NULL,
        address text
      ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0)`);
    await build(runner, INDEXES);
    await drop(runner, REPLACED);
  }

  async down(runner: QueryRunner): Promise<void> {
    await build(runner, REPLACED);
    await drop(runner, INDEXES);
    await runner.query('DROP TABLE IF EXISTS grant_uses');
  }
}

async function build(runner: QueryRunner, indexes: Readonly<Record<string, string>>) {
  for (const [name, columns] of Object.entries(indexes)) {
    // An index whose building was interrupted is there, but not valid.
    await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
    await runner.query(`CREATE INDEX CONCURRENTLY ${name} ON ${columns}`);
  }
}

async function drop(runner: QueryRunner, indexes: Readonly<Record<string, string>>) {
  for (const name of Object.keys(indexes)) {
    await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
  }
}

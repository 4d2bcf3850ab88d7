import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

const INDEX = 'oauth_artifacts_of_strangers';
const COLUMNS = `(expires_at) WHERE kind = 'Interaction'`;

/** Finds abandoned sign-ins, so that they are deleted when they expire and not days later with their partition. */
export class Interactions1764020000000 implements Migration {
  readonly olderPrograms = 'compatible';
  // An index of a partitioned table is built partition by partition, while rows are written.
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    // A moment's lock each, which others must not queue behind.
    const briefly = async (statement: string) => {
      await runner.query(`SET lock_timeout = '2s'`);
      await runner.query(statement);
      await runner.query('SET lock_timeout = 0');
    };
    await briefly(`CREATE INDEX IF NOT EXISTS ${INDEX} ON ONLY oauth_artifacts ${COLUMNS}`);
    for (const partition of await listWithout(runner)) {
      const index = `${partition}_of_strangers`;
      await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${index}`);
      await runner.query(`CREATE INDEX CONCURRENTLY ${index} ON ${partition} ${COLUMNS}`);
      await briefly(`ALTER INDEX ${INDEX} ATTACH PARTITION ${index}`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`SET lock_timeout = '2s'`);
    await runner.query(`DROP INDEX IF EXISTS ${INDEX}`);
  }
}

/** The partitions that lack the index. */
async function listWithout(runner: QueryRunner): Promise<readonly string[]> {
  const rows = (await runner.query(
    `SELECT t.inhrelid::regclass::text AS name FROM pg_inherits t
     WHERE t.inhparent = 'oauth_artifacts'::regclass AND NOT EXISTS (
       SELECT FROM pg_index i JOIN pg_inherits o ON o.inhrelid = i.indexrelid
       WHERE i.indrelid = t.inhrelid AND o.inhparent = $1::regclass)`,
    [INDEX],
  )) as { name: string }[];
  return rows.map(({ name }) => name);
}

import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

const PARTITIONS_OF_USAGE = `SELECT inhrelid::regclass::text AS name FROM pg_inherits
  WHERE inhparent = 'usage_counts'::regclass`;

/**
 * Leaves room for the next version of each row on pages that are filled from now on, so that last uses and counts of
 * answers are updated in place (decision 17). No table is rewritten or locked against reads and writes. The program
 * makes later partitions with the same room.
 */
export class RoomForUpdates1764189100000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE credential_uses SET (fillfactor = 50)');
    for (const name of await partitions(runner)) {
      await runner.query(`ALTER TABLE ${name} SET (fillfactor = 50)`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const name of await partitions(runner)) {
      await runner.query(`ALTER TABLE ${name} RESET (fillfactor)`);
    }
    await runner.query('ALTER TABLE credential_uses SET (fillfactor = 70)');
  }
}

async function partitions(runner: QueryRunner): Promise<readonly string[]> {
  const rows = (await runner.query(PARTITIONS_OF_USAGE)) as readonly { name: string }[];
  return rows.map(({ name }) => name);
}

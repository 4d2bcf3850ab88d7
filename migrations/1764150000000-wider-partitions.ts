import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;

interface Partition {
  readonly name: string;
  readonly from: Date;
  readonly to: Date;
}

/**
 * From this release on, new partitions of refresh tokens span 35 days instead of 7 (decision 16). Those that are there
 * stay until they are dropped, so nothing is done here: see `src/db/partitions.ts`.
 *
 * Undoing it moves the tokens back into partitions of 7 days, which is what the earlier release makes at its start.
 */
export class WiderPartitions1764150000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(): Promise<void> {
    // The partitions are made by the program, ahead of time.
  }

  async down(runner: QueryRunner): Promise<void> {
    const wide = (await runner.query(`
      SELECT inhrelid::regclass::text AS name,
        substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \\(''([^'']+)''\\)')::timestamptz AS from,
        substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \\(''([^'']+)''\\)')::timestamptz AS to
      FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
      WHERE inhparent = 'refresh_tokens'::regclass AND c.relname LIKE '%\\_until\\_%'`)) as Partition[];
    for (const { name, from, to } of wide) {
      await runner.query(`ALTER TABLE refresh_tokens DETACH PARTITION ${name}`);
      for (let start = from.getTime(); start < to.getTime(); start += WEEK_MS) {
        const [first, end] = [
          new Date(start).toISOString(),
          new Date(start + WEEK_MS).toISOString(),
        ];
        await runner.query(`
          CREATE TABLE refresh_tokens_${first.slice(0, 10).replaceAll('-', '')}
            PARTITION OF refresh_tokens FOR VALUES FROM ('${first}') TO ('${end}')`);
      }
      await runner.query(`INSERT INTO refresh_tokens SELECT * FROM ${name}`);
      await runner.query(`DROP TABLE ${name}`);
    }
  }
}

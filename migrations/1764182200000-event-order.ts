import type { QueryRunner } from 'typeorm';

import { indexOf, partitionsWithout } from './1764161000000-audit-lists.js';
import { EVENT_INDEX, EVENT_ORDER } from './1764182000000-event-positions.js';
import type { Migration } from './migration.js';

/** Attaches the indexes of the partitions to that of the audit log. */
export class EventOrder1764182200000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    for (const partition of await partitionsWithout(runner, EVENT_INDEX)) {
      const own = indexOf(partition, EVENT_INDEX);
      // A partition that was made since is empty.
      await runner.query(`CREATE INDEX IF NOT EXISTS ${own} ON ${partition} ${EVENT_ORDER}`);
      await runner.query(`ALTER INDEX ${EVENT_INDEX} ATTACH PARTITION ${own}`);
    }
  }

  async down(): Promise<void> {
    // The column goes with the first of these migrations, and its index with it.
  }
}

import type { QueryRunner } from 'typeorm';

import { indexOf, partitionsWithout } from './1764161000000-audit-lists.js';
import { EVENT_INDEX, EVENT_ORDER } from './1764182000000-event-positions.js';
import type { Migration } from './migration.js';

/** Builds the index of the feed of events for each partition of the audit log, while it is written to. */
export class EventIndexes1764182100000 implements Migration {
  readonly olderPrograms = 'compatible';
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    for (const partition of await partitionsWithout(runner, EVENT_INDEX)) {
      const own = indexOf(partition, EVENT_INDEX);
      // An index whose building was interrupted is there, but not valid.
      await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${own}`);
      await runner.query(`CREATE INDEX CONCURRENTLY ${own} ON ${partition} ${EVENT_ORDER}`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const partition of await partitionsWithout(runner, EVENT_INDEX)) {
      await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${indexOf(partition, EVENT_INDEX)}`);
    }
  }
}

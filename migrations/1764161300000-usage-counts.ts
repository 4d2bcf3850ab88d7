import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/**
 * Answers by hour, subject and process: a key, an app, or the tenant as a whole. Partitioned by time; the program makes
 * the partitions, see src/db/partitions.ts. Counts have no index, so that they are updated in place.
 */
export class UsageCounts1764161300000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE usage_counts (
        tenant_id text COLLATE "C" NOT NULL,
        environment text COLLATE "C" NOT NULL,
        subject text COLLATE "C" NOT NULL,
        hour timestamptz NOT NULL,
        process bigint NOT NULL,
        successes bigint NOT NULL,
        client_errors bigint NOT NULL,
        denials bigint NOT NULL,
        rate_limited bigint NOT NULL,
        CONSTRAINT usage_counts_pkey PRIMARY KEY (tenant_id, environment, subject, hour, process)
      ) PARTITION BY RANGE (hour);
      CREATE INDEX usage_counts_of_hour ON usage_counts (tenant_id, environment, hour);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE usage_counts');
  }
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What replicas tell each other of the budgets that requests count on. */
export class RateWindows1763830000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- Unlogged: written every second, of use for an hour, and no loss if the database crashes.
      CREATE UNLOGGED TABLE rate_windows (
        bucket text COLLATE "C" NOT NULL,
        ends_at timestamptz NOT NULL,
        replica text COLLATE "C" NOT NULL,
        window_seconds integer NOT NULL,
        units bigint NOT NULL,
        changed_at timestamptz NOT NULL,
        CONSTRAINT rate_windows_pkey PRIMARY KEY (bucket, ends_at, replica)
      );
      CREATE INDEX rate_windows_by_change ON rate_windows (window_seconds, changed_at);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE rate_windows');
  }
}

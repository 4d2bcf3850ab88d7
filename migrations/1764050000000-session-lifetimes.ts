import type { QueryRunner } from 'typeorm';

import { inEach } from './batches.js';
import type { Migration } from './migration.js';

/** Sessions end 90 days after their sign-in at the latest: those that were prolonged past that are cut. */
export class SessionLifetimes1764050000000 implements Migration {
  // A program that prolongs one further is corrected by the next newer one that serves the session.
  readonly olderPrograms = 'compatible';
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await inEach(runner, { table: 'sessions', column: 'id' }, (from, to) =>
      runner.query(
        `UPDATE sessions SET expires_at = created_at + interval '2160 hours'
         WHERE id > $1 AND id <= $2 AND expires_at > created_at + interval '2160 hours'`,
        [from, to],
      ),
    );
  }

  async down(): Promise<void> {
    // Nothing was altered that an earlier version reads differently.
  }
}

import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/** Whether an account's email address was confirmed, for the claim `email_verified`. */
export class VerifiedEmails1764040000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE accounts ADD COLUMN email_verified_at timestamptz');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE accounts DROP COLUMN email_verified_at');
  }
}

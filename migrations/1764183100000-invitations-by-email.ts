import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/** Finds the open invitations of a person who signs in at a provider for the first time. */
export class InvitationsByEmail1764183100000 implements Migration {
  readonly olderPrograms = 'compatible';
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX CONCURRENTLY IF EXISTS invitations_by_email');
    await runner.query('CREATE INDEX CONCURRENTLY invitations_by_email ON invitations (email)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX CONCURRENTLY invitations_by_email');
  }
}

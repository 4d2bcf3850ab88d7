import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/**
 * Roles are the catalogue's: the database checks their form only. An older program knows the built-in roles, and gives
 * any other role no scope.
 */
export class RolesOfTheCatalogue1764177000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    // Checked for new rows only: the old rows satisfied the narrower check.
    await runner.query(`
      ALTER TABLE memberships DROP CONSTRAINT memberships_role,
        ADD CONSTRAINT memberships_role_form CHECK (role ~ '^[a-z][a-z0-9_]{0,39}$') NOT VALID;
      ALTER TABLE invitations DROP CONSTRAINT invitations_role,
        ADD CONSTRAINT invitations_role_form CHECK (role ~ '^[a-z][a-z0-9_]{0,39}$') NOT VALID;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE memberships DROP CONSTRAINT memberships_role_form,
        ADD CONSTRAINT memberships_role
          CHECK (role IN ('company_admin', 'manager', 'member', 'field_crew', 'viewer'));
      ALTER TABLE invitations DROP CONSTRAINT invitations_role_form,
        ADD CONSTRAINT invitations_role
          CHECK (role IN ('company_admin', 'manager', 'member', 'field_crew', 'viewer'));
    `);
  }
}

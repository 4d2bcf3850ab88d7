import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/**
 * Clients that were never used are deleted after 30 days. This records it from now on; those that are there
 * already are dealt with by `UnusedClients1764122000000`.
 */
export class ForgottenClients1764060000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE clients ADD COLUMN unused_since timestamptz;
      ALTER TABLE clients ALTER COLUMN unused_since SET DEFAULT gatehouse_now();

      -- A trigger, so that every way to a grant keeps the client, also that of an older replica.
      CREATE FUNCTION keep_client() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        UPDATE clients SET unused_since = NULL
          WHERE id = NEW.client_id AND unused_since IS NOT NULL;
        RETURN NULL;
      END $$;
      CREATE TRIGGER grants_keep_client AFTER INSERT ON grants
        FOR EACH ROW EXECUTE FUNCTION keep_client();
      -- A client that is forgotten and registers again would not be blocked any more.
      CREATE TRIGGER client_blocks_keep_client AFTER INSERT ON client_blocks
        FOR EACH ROW EXECUTE FUNCTION keep_client();
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TRIGGER client_blocks_keep_client ON client_blocks;
      DROP TRIGGER grants_keep_client ON grants;
      DROP FUNCTION keep_client;
      ALTER TABLE clients DROP COLUMN unused_since;
    `);
  }
}

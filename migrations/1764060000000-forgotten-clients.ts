import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Clients that were never used are deleted after 30 days. Whether those that are there already had a
 * grant earlier is not recorded: public ones come back by registering, so only those are given an end.
 */
export class ForgottenClients1764060000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE clients ADD COLUMN unused_since timestamptz;
      UPDATE clients c SET unused_since = gatehouse_now()
        WHERE secret_digest IS NULL AND NOT is_verified AND blocked_at IS NULL
          AND NOT EXISTS (SELECT FROM grants WHERE client_id = c.id)
          AND NOT EXISTS (SELECT FROM consents WHERE client_id = c.id)
          AND NOT EXISTS (SELECT FROM client_blocks WHERE client_id = c.id);
      ALTER TABLE clients ALTER COLUMN unused_since SET DEFAULT gatehouse_now();
      CREATE INDEX clients_unused ON clients (unused_since) WHERE unused_since IS NOT NULL;

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
      DROP INDEX clients_unused;
      ALTER TABLE clients DROP COLUMN unused_since;
    `);
  }
}

import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/**
 * Clients that are identified by the URL of a metadata document. Their rows are copies of the document, with the time
 * until which the copy is fresh.
 *
 * The URL can contain `@`, which the revocations of a client in a tenant also contain: the tenant is what follows the
 * last one.
 */
export class ClientDocuments1764164000000 implements Migration {
  readonly olderPrograms = 'compatible';
  // Outside of a transaction the index can be built while the table is written to.
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'ALTER TABLE clients ADD COLUMN IF NOT EXISTS document_fresh_until timestamptz',
    );
    await runner.query('DROP INDEX CONCURRENTLY IF EXISTS clients_unused_documents');
    await runner.query(`CREATE INDEX CONCURRENTLY clients_unused_documents ON clients (unused_since)
      WHERE document_fresh_until IS NOT NULL AND unused_since IS NOT NULL`);
    await runner.query(
      keepNeededRevocations(
        `regexp_replace(OLD.subject, '@tnt_[0-9A-Z]+$', '')`,
        `substring(OLD.subject FROM '@(tnt_[0-9A-Z]+)$')`,
      ),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      keepNeededRevocations(
        `split_part(OLD.subject, '@', 1)`,
        `split_part(OLD.subject, '@', 2)`,
        '-- Of usr_…@tnt_… and cli_…@tnt_….\n        ',
      ),
    );
    await runner.query('DROP INDEX CONCURRENTLY IF EXISTS clients_unused_documents');
    await runner.query('ALTER TABLE clients DROP COLUMN IF EXISTS document_fresh_until');
  }
}

/** The function of the migration `NeededRevocations1764150200000`, with the parts of a subject. */
function keepNeededRevocations(first: string, tenant: string, comment = ''): string {
  return `
      CREATE OR REPLACE FUNCTION keep_needed_revocations() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE
        ${comment}first text := ${first};
        tenant text := ${tenant};
      BEGIN
        IF EXISTS (SELECT FROM revocations later
          WHERE later.subject = OLD.subject AND later.seq > OLD.seq)
        THEN RETURN OLD; END IF;
        IF OLD.revoked_at > gatehouse_now() - interval '90 days'
          OR EXISTS (SELECT FROM credentials c WHERE c.id = OLD.subject)
          OR EXISTS (SELECT FROM credentials c WHERE c.principal_kind = 'user'
            AND c.principal_id = first AND c.tenant_id = tenant AND c.issue_seq < OLD.seq)
          OR EXISTS (SELECT FROM clients WHERE id = first)
          OR EXISTS (SELECT FROM tenants WHERE id = OLD.subject)
          OR EXISTS (SELECT FROM accounts WHERE id = OLD.subject)
          OR EXISTS (SELECT FROM memberships WHERE account_id = first AND tenant_id = tenant)
        THEN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END IF;
        RETURN OLD;
      END $$`;
}

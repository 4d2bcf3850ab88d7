import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

const TABLES = ['tenants', 'accounts', 'spaces', 'credentials'] as const;

/**
 * Ids and metadata that the operator's other systems give to tenants, accounts, spaces and keys. Verdicts carry those of
 * the tenant, the account and the key, so their changes are in the feed.
 */
export class ExternalIds1764174000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    for (const table of TABLES) {
      await runner.query(
        `ALTER TABLE ${table} ADD COLUMN external_id text COLLATE "C", ADD COLUMN metadata jsonb`,
      );
    }
    // Whether another key may take it: this one was replaced, or had ended when the other was created.
    await runner.query(
      'ALTER TABLE credentials ADD COLUMN external_id_released boolean NOT NULL DEFAULT false',
    );
    await runner.query(ACCOUNT_CHANGES);
    await runner.query(tenantTrigger(ANNOTATED));
    await runner.query(credentialTrigger(ANNOTATED));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(tenantTrigger([]));
    await runner.query(credentialTrigger([]));
    await runner.query(`
      DROP TRIGGER note_change ON accounts;
      DROP FUNCTION note_changed_account;
      ALTER TABLE credentials DROP COLUMN external_id_released;
    `);
    for (const table of TABLES) {
      await runner.query(`ALTER TABLE ${table} DROP COLUMN external_id, DROP COLUMN metadata`);
    }
  }
}

const ANNOTATED = ['external_id', 'metadata'];

/** An account is a subject of the credentials in each of its tenants. */
const ACCOUNT_CHANGES = `
  CREATE FUNCTION note_changed_account() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO verdict_changes (subject, tenant_id)
    SELECT OLD.id, m.tenant_id FROM memberships m WHERE m.account_id = OLD.id;
    RETURN NULL;
  END $$;

  CREATE TRIGGER note_change AFTER UPDATE ON accounts FOR EACH ROW
    WHEN ((OLD.external_id, OLD.metadata) IS DISTINCT FROM (NEW.external_id, NEW.metadata))
    EXECUTE FUNCTION note_changed_account();
`;

function tenantTrigger(more: readonly string[]): string {
  return trigger('tenants', ['suspended_at', ...more], 'note_changed_tenant');
}

function credentialTrigger(more: readonly string[]): string {
  const columns = ['name', 'scopes', 'spaces', 'bindings', 'allowed_ips', 'expires_at'];
  const all = [...columns, 'rate_limit_per_minute', ...more];
  return trigger('credentials', all, 'note_changed_credential');
}

function trigger(table: string, columns: readonly string[], procedure: string): string {
  const row = (name: string) => columns.map((column) => `${name}.${column}`).join(', ');
  return `
  CREATE OR REPLACE TRIGGER note_change AFTER UPDATE ON ${table} FOR EACH ROW
    WHEN (ROW(${row('OLD')}) IS DISTINCT FROM ROW(${row('NEW')}))
    EXECUTE FUNCTION ${procedure}();`;
}

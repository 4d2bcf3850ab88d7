import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/**
 * The feed of changes for services that keep verdicts. Triggers write a row for each changed subject, in the changing
 * transaction, so that no program can forget one. Replicas of the earlier release feed it too.
 *
 * A reader compares snapshots: numbers are given in another order than transactions commit. `change_snapshots` has one of
 * each minute, by which cleanup knows what every reader has seen.
 */
export class VerdictChanges1764167000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    await runner.query(FUNCTIONS);
    await runner.query(TRIGGERS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TRIGGER note_change ON revocations;
      DROP TRIGGER note_change ON credentials;
      DROP TRIGGER note_deletion ON credentials;
      DROP TRIGGER note_change ON tenants;
      DROP TRIGGER note_change ON memberships;
      DROP TRIGGER note_deletion ON memberships;
      DROP TRIGGER note_change ON clients;
      DROP TRIGGER note_deletion ON clients;
      DROP TRIGGER note_change ON resource_servers;
      DROP TRIGGER note_deletion ON resource_servers;
      DROP FUNCTION note_revocations, note_changed_credential, note_changed_tenant, note_changed_membership,
        note_changed_client, note_changed_server, note_change_of;
      DROP TABLE verdict_changes, change_snapshots;
    `);
  }
}

const TABLES = `
  CREATE TABLE verdict_changes (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    subject text COLLATE "C" NOT NULL,
    -- NULL for subjects of no single tenant, such as clients. Empty if the tenant is unknown.
    tenant_id text COLLATE "C"
  );
  CREATE INDEX verdict_changes_by_xid ON verdict_changes (xid);
  CREATE TABLE change_snapshots (
    minute timestamptz CONSTRAINT change_snapshots_pkey PRIMARY KEY,
    snapshot pg_snapshot NOT NULL
  );
`;

const FUNCTIONS = `
  CREATE FUNCTION note_change_of(subject text, tenant text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO verdict_changes (subject, tenant_id) VALUES (subject, tenant);
  $$;

  CREATE FUNCTION note_revocations() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO verdict_changes (subject, tenant_id)
    SELECT r.subject, CASE
        WHEN strpos(r.subject, '@') > 0 THEN split_part(r.subject, '@', 2)
        WHEN starts_with(r.subject, 'tnt_') THEN r.subject
        WHEN starts_with(r.subject, 'key_') THEN coalesce((SELECT c.tenant_id FROM credentials c WHERE c.id = r.subject), '')
        WHEN starts_with(r.subject, 'grt_') THEN coalesce((SELECT g.tenant_id FROM grants g WHERE g.id = r.subject), '')
        -- Tokens are not found by their id. The program names the tenant of the one that it revokes.
        WHEN starts_with(r.subject, 'tok_') THEN coalesce(current_setting('gatehouse.tenant', true), '')
      END
    FROM revoked r WHERE NOT starts_with(r.subject, 'usr_') OR strpos(r.subject, '@') > 0;
    -- An account is a subject of each of its tenants.
    INSERT INTO verdict_changes (subject, tenant_id)
    SELECT r.subject, m.tenant_id FROM revoked r JOIN memberships m ON m.account_id = r.subject
    WHERE starts_with(r.subject, 'usr_');
    RETURN NULL;
  END $$;

  CREATE FUNCTION note_changed_credential() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM note_change_of(OLD.id, OLD.tenant_id);
    RETURN NULL;
  END $$;

  CREATE FUNCTION note_changed_tenant() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM note_change_of(OLD.id, OLD.id);
    RETURN NULL;
  END $$;

  CREATE FUNCTION note_changed_membership() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM note_change_of(OLD.account_id || '@' || OLD.tenant_id, OLD.tenant_id);
    RETURN NULL;
  END $$;

  CREATE FUNCTION note_changed_client() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM note_change_of(OLD.id, NULL);
    RETURN NULL;
  END $$;

  CREATE FUNCTION note_changed_server() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM note_change_of(OLD.id, NULL);
    RETURN NULL;
  END $$;
`;

const TRIGGERS = `
  CREATE TRIGGER note_change AFTER INSERT ON revocations
    REFERENCING NEW TABLE AS revoked FOR EACH STATEMENT EXECUTE FUNCTION note_revocations();

  CREATE TRIGGER note_change AFTER UPDATE ON credentials FOR EACH ROW
    WHEN ((OLD.name, OLD.scopes, OLD.spaces, OLD.bindings, OLD.allowed_ips, OLD.expires_at, OLD.rate_limit_per_minute)
      IS DISTINCT FROM
      (NEW.name, NEW.scopes, NEW.spaces, NEW.bindings, NEW.allowed_ips, NEW.expires_at, NEW.rate_limit_per_minute))
    EXECUTE FUNCTION note_changed_credential();
  CREATE TRIGGER note_deletion AFTER DELETE ON credentials
    FOR EACH ROW EXECUTE FUNCTION note_changed_credential();

  CREATE TRIGGER note_change AFTER UPDATE ON tenants FOR EACH ROW
    WHEN (OLD.suspended_at IS DISTINCT FROM NEW.suspended_at) EXECUTE FUNCTION note_changed_tenant();

  CREATE TRIGGER note_change AFTER UPDATE ON memberships FOR EACH ROW
    WHEN (OLD.role IS DISTINCT FROM NEW.role) EXECUTE FUNCTION note_changed_membership();
  CREATE TRIGGER note_deletion AFTER DELETE ON memberships
    FOR EACH ROW EXECUTE FUNCTION note_changed_membership();

  CREATE TRIGGER note_change AFTER UPDATE ON clients FOR EACH ROW
    WHEN ((OLD.name, OLD.blocked_at) IS DISTINCT FROM (NEW.name, NEW.blocked_at))
    EXECUTE FUNCTION note_changed_client();
  CREATE TRIGGER note_deletion AFTER DELETE ON clients FOR EACH ROW EXECUTE FUNCTION note_changed_client();

  CREATE TRIGGER note_change AFTER UPDATE ON resource_servers
    FOR EACH ROW EXECUTE FUNCTION note_changed_server();
  CREATE TRIGGER note_deletion AFTER DELETE ON resource_servers
    FOR EACH ROW EXECUTE FUNCTION note_changed_server();
`;

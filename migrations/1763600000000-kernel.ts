import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Tenants, accounts, credentials, revocations, the audit log, remembered answers and contacts. */
export class Kernel1763600000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TIME);
    await runner.query(TENANCY);
    await runner.query(CREDENTIALS);
    await runner.query(AUDIT);
    await runner.query(IDEMPOTENCY);
    await runner.query(CONTACTS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE contacts, idempotency_records, audit_log, revocations, credential_uses, credentials,
        memberships, accounts, spaces, tenants;
      DROP SEQUENCE issue_order;
      DROP FUNCTION refuse_change();
      DROP FUNCTION gatehouse_now();
    `);
  }
}

// The only "now" by which anything is judged: replacing this one function shifts all of it.
const TIME = `
  CREATE FUNCTION gatehouse_now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT statement_timestamp() $$;

  CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$;
`;

const TENANCY = `
  CREATE TABLE tenants (
    id text COLLATE "C" CONSTRAINT tenants_pkey PRIMARY KEY,
    slug text COLLATE "C" NOT NULL CONSTRAINT tenants_slug_key UNIQUE,
    name text NOT NULL,
    suspended_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT gatehouse_now()
  );

  CREATE TABLE spaces (
    id text COLLATE "C" CONSTRAINT spaces_pkey PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL CONSTRAINT spaces_tenant_fkey REFERENCES tenants,
    name text NOT NULL,
    is_default boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT gatehouse_now()
  );
  CREATE UNIQUE INDEX spaces_one_default ON spaces (tenant_id) WHERE is_default;
  CREATE INDEX spaces_of_tenant ON spaces (tenant_id);

  CREATE TABLE accounts (
    id text COLLATE "C" CONSTRAINT accounts_pkey PRIMARY KEY,
    email text NOT NULL CONSTRAINT accounts_email_key UNIQUE
      CONSTRAINT accounts_email_lower CHECK (email = lower(email)),
    name text,
    password_hash text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT gatehouse_now()
  );

  CREATE TABLE memberships (
    account_id text COLLATE "C" NOT NULL CONSTRAINT memberships_account_fkey REFERENCES accounts,
    tenant_id text COLLATE "C" NOT NULL CONSTRAINT memberships_tenant_fkey REFERENCES tenants,
    role text NOT NULL CONSTRAINT memberships_role
      CHECK (role IN ('company_admin', 'manager', 'member', 'field_crew', 'viewer')),
    created_at timestamptz NOT NULL DEFAULT gatehouse_now(),
    CONSTRAINT memberships_pkey PRIMARY KEY (account_id, tenant_id)
  );
  CREATE INDEX memberships_of_tenant ON memberships (tenant_id);
`;

const CREDENTIALS = `
  -- Issues and revocations draw from one sequence: their order decides, never a clock.
  CREATE SEQUENCE issue_order AS bigint;

  CREATE TABLE credentials (
    id text COLLATE "C" CONSTRAINT credentials_pkey PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL CONSTRAINT credentials_tenant_fkey REFERENCES tenants,
    kind text NOT NULL CONSTRAINT credentials_kind CHECK
      (kind IN ('secret', 'publishable', 'personal', 'service', 'agent', 'organization')),
    environment text NOT NULL CONSTRAINT credentials_environment
      CHECK (environment IN ('live', 'test')),
    name text NOT NULL,
    scopes text[] NOT NULL,
    spaces text[],
    principal_kind text NOT NULL CONSTRAINT credentials_principal_kind
      CHECK (principal_kind IN ('tenant', 'user', 'service', 'agent', 'publishable')),
    principal_id text COLLATE "C" NOT NULL,
    bindings jsonb,
    parent_id text COLLATE "C",
    replaces text COLLATE "C",
    allowed_ips text[],
    expires_at timestamptz,
    rate_limit_per_minute integer,
    digest text COLLATE "C" NOT NULL CONSTRAINT credentials_digest_key UNIQUE,
    digest_key_id text COLLATE "C" NOT NULL,
    ciphertext bytea,
    ciphertext_key_id text COLLATE "C",
    masked_key text NOT NULL,
    subjects text[] COLLATE "C" NOT NULL,
    issue_seq bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT gatehouse_now(),
    created_by text NOT NULL
  );
  CREATE INDEX credentials_of_tenant ON credentials (tenant_id, issue_seq);
  CREATE INDEX credentials_replaced ON credentials (replaces) WHERE replaces IS NOT NULL;
  CREATE INDEX credentials_digest_keys ON credentials (digest_key_id);
  CREATE INDEX credentials_ciphertext_keys ON credentials (ciphertext_key_id)
    WHERE ciphertext_key_id IS NOT NULL;

  -- Apart from credentials, which verification reads and which therefore should stay unwritten.
  CREATE TABLE credential_uses (
    credential_id text COLLATE "C" CONSTRAINT credential_uses_pkey PRIMARY KEY
      CONSTRAINT credential_uses_credential_fkey REFERENCES credentials ON DELETE CASCADE,
    used_at timestamptz NOT NULL,
    address text
  ) WITH (fillfactor = 70);

  CREATE TABLE revocations (
    subject text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    reason text,
    revoked_by text NOT NULL,
    revoked_at timestamptz NOT NULL DEFAULT gatehouse_now(),
    CONSTRAINT revocations_pkey PRIMARY KEY (subject, seq)
  );
  CREATE TRIGGER revocations_are_final BEFORE UPDATE ON revocations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
  -- What ends with a grant or a token expires anyway; nothing else may ever be forgotten.
  CREATE TRIGGER revocations_are_kept BEFORE DELETE ON revocations FOR EACH ROW
    WHEN (NOT starts_with(OLD.subject, 'grt_') AND NOT starts_with(OLD.subject, 'tok_'))
    EXECUTE FUNCTION refuse_change();
  CREATE TRIGGER revocations_are_not_emptied BEFORE TRUNCATE ON revocations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
`;

const AUDIT = `
  CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_log_pkey PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT gatehouse_now(),
    tenant_id text COLLATE "C",
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',
    address text,
    request_id text,
    occurrences integer NOT NULL DEFAULT 1,
    coalesced_by text COLLATE "C" CONSTRAINT audit_log_coalesced_by_key UNIQUE
  );
  CREATE INDEX audit_log_of_tenant ON audit_log (tenant_id, id);
  -- Only the count of a coalesced entry may still grow.
  CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE ON audit_log FOR EACH ROW
    WHEN ((OLD.id, OLD.at, OLD.tenant_id, OLD.actor, OLD.action, OLD.subject, OLD.details,
           OLD.address, OLD.request_id, OLD.coalesced_by)
      IS DISTINCT FROM (NEW.id, NEW.at, NEW.tenant_id, NEW.actor, NEW.action, NEW.subject,
           NEW.details, NEW.address, NEW.request_id, NEW.coalesced_by)
      OR NEW.occurrences < OLD.occurrences)
    EXECUTE FUNCTION refuse_change();
  CREATE TRIGGER audit_log_is_kept BEFORE DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
  CREATE TRIGGER audit_log_is_not_emptied BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
`;

const IDEMPOTENCY = `
  CREATE TABLE idempotency_records (
    scope text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    fingerprint text NOT NULL,
    status integer NOT NULL,
    body bytea NOT NULL,
    body_key_id text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL DEFAULT gatehouse_now(),
    CONSTRAINT idempotency_records_pkey PRIMARY KEY (scope, key)
  );
  CREATE INDEX idempotency_records_by_age ON idempotency_records (created_at);
  CREATE INDEX idempotency_records_body_keys ON idempotency_records (body_key_id);
`;

const CONTACTS = `
  CREATE TABLE contacts (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT contacts_pkey PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL CONSTRAINT contacts_tenant_fkey REFERENCES tenants,
    environment text NOT NULL CONSTRAINT contacts_environment
      CHECK (environment IN ('live', 'test')),
    space_id text COLLATE "C" NOT NULL CONSTRAINT contacts_space_fkey REFERENCES spaces,
    first_name text,
    last_name text,
    company_name text,
    email text,
    phone text,
    type text NOT NULL CONSTRAINT contacts_type CHECK
      (type IN ('customer', 'general_contractor', 'architect', 'city', 'hoa', 'vendor',
                'subcontractor', 'supplier', 'employee', 'partner', 'other')),
    created_at timestamptz NOT NULL DEFAULT gatehouse_now(),
    updated_at timestamptz NOT NULL DEFAULT gatehouse_now(),
    deleted_at timestamptz
  );
  CREATE INDEX contacts_of_space ON contacts (tenant_id, environment, space_id, id)
    WHERE deleted_at IS NULL;
`;

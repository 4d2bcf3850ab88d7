import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/** Mail that waits to be sent, invitations, and the links that are sent to an account's address. */
export class Mail1764162000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE outgoing_mail (
        id text COLLATE "C" CONSTRAINT outgoing_mail_pkey PRIMARY KEY,
        kind text NOT NULL,
        ciphertext bytea NOT NULL,
        ciphertext_key_id text COLLATE "C" NOT NULL,
        tries int NOT NULL DEFAULT 0,
        due_at timestamptz NOT NULL DEFAULT gatehouse_now(),
        created_at timestamptz NOT NULL DEFAULT gatehouse_now(),
        expires_at timestamptz NOT NULL
      );
      CREATE INDEX outgoing_mail_due ON outgoing_mail (due_at);
      CREATE INDEX outgoing_mail_keys ON outgoing_mail (ciphertext_key_id);

      CREATE TABLE invitations (
        id text COLLATE "C" CONSTRAINT invitations_pkey PRIMARY KEY,
        tenant_id text COLLATE "C" NOT NULL CONSTRAINT invitations_tenant_fkey REFERENCES tenants (id),
        email text NOT NULL CONSTRAINT invitations_email_lower CHECK (email = lower(email)),
        role text NOT NULL CONSTRAINT invitations_role
          CHECK (role IN ('company_admin', 'manager', 'member', 'field_crew', 'viewer')),
        digest text COLLATE "C" NOT NULL CONSTRAINT invitations_digest_key UNIQUE,
        digest_key_id text COLLATE "C" NOT NULL,
        is_mailed boolean NOT NULL,
        invited_by text COLLATE "C" NOT NULL
          CONSTRAINT invitations_invited_by_fkey REFERENCES accounts (id),
        created_at timestamptz NOT NULL DEFAULT gatehouse_now(),
        expires_at timestamptz NOT NULL,
        CONSTRAINT invitations_email_key UNIQUE (tenant_id, email)
      );
      CREATE INDEX invitations_by_end ON invitations (expires_at);
      CREATE INDEX invitations_digest_keys ON invitations (digest_key_id);

      CREATE TABLE account_links (
        digest text COLLATE "C" CONSTRAINT account_links_pkey PRIMARY KEY,
        digest_key_id text COLLATE "C" NOT NULL,
        purpose text NOT NULL
          CONSTRAINT account_links_purpose CHECK (purpose IN ('password', 'email')),
        account_id text COLLATE "C" NOT NULL
          CONSTRAINT account_links_account_fkey REFERENCES accounts (id),
        email text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT gatehouse_now(),
        expires_at timestamptz NOT NULL
      );
      CREATE INDEX account_links_of_account ON account_links (account_id, purpose);
      CREATE INDEX account_links_by_end ON account_links (expires_at);
      CREATE INDEX account_links_digest_keys ON account_links (digest_key_id);

      CREATE TABLE last_sign_ins (
        account_id text COLLATE "C" CONSTRAINT last_sign_ins_pkey PRIMARY KEY
          CONSTRAINT last_sign_ins_account_fkey REFERENCES accounts (id),
        at timestamptz NOT NULL
      ) WITH (fillfactor = 80);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'DROP TABLE outgoing_mail; DROP TABLE invitations; DROP TABLE account_links; DROP TABLE last_sign_ins',
    );
  }
}

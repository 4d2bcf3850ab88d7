import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/**
 * Webhooks, and what is or was sent to them. `webhook_feed` holds how far the feed of events was read for them; nothing
 * while there is no webhook. An older program sends nothing; the next one of this release catches up.
 */
export class Webhooks1764182300000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE webhooks (
        id text COLLATE "C" CONSTRAINT webhooks_pkey PRIMARY KEY,
        tenant_id text COLLATE "C" REFERENCES tenants,
        url text NOT NULL,
        types text[] NOT NULL,
        ciphertext bytea NOT NULL,
        ciphertext_key_id text COLLATE "C" NOT NULL,
        disabled_at timestamptz,
        disabled_reason text,
        failures integer NOT NULL DEFAULT 0,
        resume_at timestamptz NOT NULL DEFAULT gatehouse_now(),
        lease text,
        lease_until timestamptz,
        created_at timestamptz NOT NULL DEFAULT gatehouse_now()
      );
      CREATE INDEX webhooks_of_tenant ON webhooks (tenant_id, id);
      CREATE INDEX webhooks_ciphertext_keys ON webhooks (ciphertext_key_id);
      CREATE TABLE webhook_deliveries (
        seq bigint GENERATED ALWAYS AS IDENTITY,
        webhook_id text COLLATE "C" NOT NULL REFERENCES webhooks ON DELETE CASCADE,
        event_id bigint NOT NULL,
        event_at timestamptz NOT NULL,
        type text NOT NULL,
        subject text COLLATE "C" NOT NULL,
        state text NOT NULL DEFAULT 'pending',
        attempts integer NOT NULL DEFAULT 0,
        due_at timestamptz NOT NULL DEFAULT gatehouse_now(),
        first_attempt_at timestamptz,
        last_attempt_at timestamptz,
        status integer,
        fault text,
        duration_ms integer,
        created_at timestamptz NOT NULL DEFAULT gatehouse_now(),
        CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (webhook_id, seq)
      );
      CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, due_at) WHERE state = 'pending';
      CREATE INDEX webhook_deliveries_of_subject ON webhook_deliveries (webhook_id, subject, seq)
        WHERE state = 'pending';
      CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (created_at) WHERE state <> 'pending';
      CREATE TABLE webhook_feed (
        single boolean CONSTRAINT webhook_feed_pkey PRIMARY KEY DEFAULT true CHECK (single),
        position text
      );
      INSERT INTO webhook_feed DEFAULT VALUES;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE webhook_feed, webhook_deliveries, webhooks');
  }
}

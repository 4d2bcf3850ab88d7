import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/**
 * Removing a webhook deletes its row only. Its deliveries can be very many: cleanup deletes them in portions. An older
 * program leaves them to the next cleanup of a newer one.
 */
export class WebhookRemoval1764189800000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'ALTER TABLE webhook_deliveries DROP CONSTRAINT IF EXISTS webhook_deliveries_webhook_id_fkey',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DELETE FROM webhook_deliveries d WHERE NOT EXISTS (SELECT FROM webhooks w WHERE w.id = d.webhook_id);
      ALTER TABLE webhook_deliveries ADD CONSTRAINT webhook_deliveries_webhook_id_fkey
        FOREIGN KEY (webhook_id) REFERENCES webhooks ON DELETE CASCADE;
    `);
  }
}

import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/**
 * Access tokens that a key was exchanged for: they have a parent instead of a grant. An older program finds no membership
 * for them, and refuses them as revoked.
 */
export class ExchangedTokens1764165100000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE access_tokens
        ALTER COLUMN account_id DROP NOT NULL,
        ALTER COLUMN client_id DROP NOT NULL,
        ALTER COLUMN grant_id DROP NOT NULL,
        -- The key, whose state and restrictions are read with the token.
        ADD COLUMN parent_id text COLLATE "C",
        -- Narrower than those of the parent; NULL for the same.
        ADD COLUMN spaces text[] COLLATE "C";
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DELETE FROM access_tokens WHERE parent_id IS NOT NULL;
      ALTER TABLE access_tokens
        ALTER COLUMN account_id SET NOT NULL,
        ALTER COLUMN client_id SET NOT NULL,
        ALTER COLUMN grant_id SET NOT NULL,
        DROP COLUMN parent_id,
        DROP COLUMN spaces;
    `);
  }
}

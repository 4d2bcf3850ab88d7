import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/**
 * Lets revocations go that hold for nothing any more. Until now those of anything but grants and tokens could not be
 * deleted. The trigger still refuses all that could matter: a revocation is needed for 90 days and
 * as long as the thing that it ended exists, unless a later one of the same subject holds for all that it ended.
 */
export class NeededRevocations1764150200000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE FUNCTION keep_needed_revocations() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE
        -- Of usr_…@tnt_… and cli_…@tnt_….
        first text := split_part(OLD.subject, '@', 1);
        tenant text := split_part(OLD.subject, '@', 2);
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
      END $$;
      DROP TRIGGER revocations_are_kept ON revocations;
      CREATE TRIGGER revocations_are_kept BEFORE DELETE ON revocations FOR EACH ROW
        WHEN (NOT starts_with(OLD.subject, 'grt_') AND NOT starts_with(OLD.subject, 'tok_'))
        EXECUTE FUNCTION keep_needed_revocations();
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TRIGGER revocations_are_kept ON revocations;
      CREATE TRIGGER revocations_are_kept BEFORE DELETE ON revocations FOR EACH ROW
        WHEN (NOT starts_with(OLD.subject, 'grt_') AND NOT starts_with(OLD.subject, 'tok_'))
        EXECUTE FUNCTION refuse_change();
      DROP FUNCTION keep_needed_revocations();
    `);
  }
}

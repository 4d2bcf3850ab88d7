import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/**
 * The answer of a grace window is stored with the successor instead of with the token that it replaces. It costs no
 * row version of its own then, and consuming the successor erases it in the same statement.
 *
 * `redeem_for_tokens` and `answer_key_id` stay for replicas of the earlier release that still run.
 */
export class GraceWindow1764030000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- How often the answer was given again.
      ALTER TABLE refresh_tokens ADD COLUMN repeats smallint NOT NULL DEFAULT 0;
      -- An answer is encrypted under the key that its row's digest was made with.
      DROP INDEX refresh_tokens_answer_keys;
    `);
    await runner.query(REDEEM);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP FUNCTION redeem_and_issue;
      -- Encrypted for another place: the earlier release could not open them.
      UPDATE refresh_tokens SET answer = NULL WHERE answer IS NOT NULL AND answer_key_id IS NULL;
      CREATE INDEX refresh_tokens_answer_keys ON refresh_tokens (answer_key_id)
        WHERE answer_key_id IS NOT NULL;
      ALTER TABLE refresh_tokens DROP COLUMN repeats;
    `);
  }
}

// Consumes a code or refresh token and inserts what it is exchanged for, or does nothing: one statement
// from the caller's side, one transaction. It is a function because what follows the lock must see what was
// committed while waiting for it, which the snapshot of a single SQL statement would not.
const REDEEM = `
  CREATE FUNCTION redeem_and_issue(
    source text, source_digest text, source_expires_at timestamptz, of_grant text,
    digest_key text, access_id text, access_digest text, access_scopes text[],
    access_audience text, access_seconds integer,
    refresh_id text, refresh_digest text, refresh_payload jsonb, refresh_seconds integer,
    sealed_answer bytea, hash_of_request text, grace_seconds integer, competing_seconds float8
  ) RETURNS text LANGUAGE plpgsql AS $$
  DECLARE
    now timestamptz;
    parent grants;
  BEGIN
    -- Ending the grant holds this lock exclusively: it comes before and is seen, or after and sees.
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(of_grant, 0));
    -- The time now, not when the wait began.
    now := gatehouse_now() + (clock_timestamp() - statement_timestamp());
    SELECT * INTO parent FROM grants g WHERE g.id = of_grant;
    IF NOT FOUND OR EXISTS (SELECT FROM revocations r
      WHERE r.subject = ANY (parent.subjects) AND r.seq > parent.issue_seq)
    THEN RETURN 'dead'; END IF;

    IF source = 'code' THEN
      UPDATE oauth_artifacts s SET consumed_at = now + make_interval(secs => competing_seconds)
        WHERE s.digest = source_digest AND s.expires_at = source_expires_at AND s.kind = 'AuthorizationCode'
          AND s.consumed_at IS NULL AND s.expires_at > now;
    ELSE
      -- The answer that the token itself came with is over once the token is used.
      UPDATE refresh_tokens s SET consumed_at = now + make_interval(secs => competing_seconds),
          successor_digest = refresh_digest, answer = NULL
        WHERE s.digest = source_digest AND s.expires_at = source_expires_at
          AND s.consumed_at IS NULL AND s.expires_at > now;
    END IF;
    IF NOT FOUND THEN RETURN 'lost'; END IF;

    INSERT INTO access_tokens (digest, digest_key_id, id, tenant_id, account_id, client_id, grant_id,
        scopes, audience, subjects, issue_seq, issued_at, expires_at)
      VALUES (access_digest, digest_key, access_id, parent.tenant_id, parent.account_id, parent.client_id,
        of_grant, access_scopes, access_audience, access_id || parent.subjects, parent.issue_seq, now,
        now + make_interval(secs => access_seconds));
    IF refresh_digest IS NOT NULL THEN
      INSERT INTO refresh_tokens (digest, digest_key_id, id, grant_id, payload, issued_at, expires_at,
          answer, answer_until, request_hash)
        VALUES (refresh_digest, digest_key, refresh_id, of_grant, refresh_payload, now,
          now + make_interval(secs => refresh_seconds), sealed_answer,
          CASE WHEN sealed_answer IS NOT NULL THEN now + make_interval(secs => grace_seconds) END,
          hash_of_request);
    END IF;
    UPDATE grants g SET keep_until = now + make_interval(days => 1, secs => greatest(access_seconds, refresh_seconds))
      WHERE g.id = of_grant
        AND g.keep_until < now + make_interval(secs => greatest(access_seconds, refresh_seconds));
    RETURN 'issued';
  END $$;
`;

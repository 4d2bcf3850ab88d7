import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/**
 * The ids of signed texts that work once, and tokens that are bound to a key (RFC 9449). The thumbprint of the key is the
 * last subject of a bound credential.
 *
 * `redeem_and_issue` takes its arguments as one JSON object. The function with eighteen parameters stays for replicas of
 * the earlier release. Those know nothing of bindings: they accept a bound token without a proof while they still run.
 */
export class ProofKeys1764166000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE used_proofs (
        digest text COLLATE "C" CONSTRAINT used_proofs_pkey PRIMARY KEY,
        expires_at timestamptz NOT NULL
      );
      CREATE INDEX used_proofs_by_expiry ON used_proofs (expires_at);
    `);
    await runner.query(REDEEM);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP FUNCTION redeem_and_issue(jsonb);
      DROP TABLE used_proofs;
    `);
  }
}

// Consumes a code or refresh token and inserts what it is exchanged for, or does nothing: one statement from the
// caller's side, one transaction. It is a function because what follows the lock must see what was committed while it
// waited, which the snapshot of a single SQL statement would not.
const REDEEM = `
  CREATE FUNCTION redeem_and_issue(wanted jsonb) RETURNS text LANGUAGE plpgsql AS $$
  DECLARE
    now timestamptz;
    parent grants;
    arg record;
    server text;
  BEGIN
    SELECT * INTO arg FROM jsonb_to_record(wanted) AS t (
      source text, source_digest text, source_expires_at timestamptz, grant_id text,
      digest_key text, access_id text, access_digest text, access_scopes text[],
      access_audience text, access_seconds integer, proof_subject text,
      refresh_id text, refresh_digest text, refresh_payload jsonb, refresh_seconds integer,
      answer text, request_hash text, grace_seconds integer, reuse_after_seconds float8);
    -- Ending the grant holds this lock exclusively: it comes before and is seen, or after and sees.
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(arg.grant_id, 0));
    -- The time now, not when the wait began.
    now := gatehouse_now() + (clock_timestamp() - statement_timestamp());
    SELECT * INTO parent FROM grants g WHERE g.id = arg.grant_id;
    IF NOT FOUND OR EXISTS (SELECT FROM revocations r
      WHERE r.subject = ANY (parent.subjects) AND r.seq > parent.issue_seq)
    THEN RETURN 'dead'; END IF;
    SELECT r.id INTO server FROM resource_servers r
      WHERE r.identifier = arg.access_audience AND r.issue_seq < parent.issue_seq;

    IF arg.source IN ('code', 'device') THEN
      UPDATE oauth_artifacts s SET consumed_at = now + make_interval(secs => arg.reuse_after_seconds)
        WHERE s.digest = arg.source_digest AND s.expires_at = arg.source_expires_at
          AND s.kind = CASE arg.source WHEN 'code' THEN 'AuthorizationCode' ELSE 'DeviceCode' END
          AND s.consumed_at IS NULL AND s.expires_at > now;
    ELSE
      -- The answer that the token itself came with is over once the token is used.
      UPDATE refresh_tokens s SET consumed_at = now + make_interval(secs => arg.reuse_after_seconds),
          successor_digest = arg.refresh_digest, answer = NULL
        WHERE s.digest = arg.source_digest AND s.expires_at = arg.source_expires_at
          AND s.consumed_at IS NULL AND s.expires_at > now;
    END IF;
    IF NOT FOUND THEN RETURN 'lost'; END IF;

    INSERT INTO access_tokens (digest, digest_key_id, id, tenant_id, account_id, client_id, grant_id,
        scopes, audience, subjects, issue_seq, issued_at, expires_at, server_id)
      VALUES (arg.access_digest, arg.digest_key, arg.access_id, parent.tenant_id, parent.account_id,
        parent.client_id, arg.grant_id, arg.access_scopes, arg.access_audience,
        array_remove(ARRAY[arg.access_id, server], NULL) || parent.subjects
          || array_remove(ARRAY[arg.proof_subject], NULL),
        parent.issue_seq, now, now + make_interval(secs => arg.access_seconds), server);
    IF arg.refresh_digest IS NOT NULL THEN
      INSERT INTO refresh_tokens (digest, digest_key_id, id, grant_id, payload, issued_at, expires_at,
          answer, answer_until, request_hash)
        VALUES (arg.refresh_digest, arg.digest_key, arg.refresh_id, arg.grant_id, arg.refresh_payload, now,
          now + make_interval(secs => arg.refresh_seconds), decode(arg.answer, 'base64'),
          CASE WHEN arg.answer IS NOT NULL THEN now + make_interval(secs => arg.grace_seconds) END,
          arg.request_hash);
    END IF;
    UPDATE grants g
      SET keep_until = now + make_interval(days => 1, secs => greatest(arg.access_seconds, arg.refresh_seconds))
      WHERE g.id = arg.grant_id
        AND g.keep_until < now + make_interval(secs => greatest(arg.access_seconds, arg.refresh_seconds));
    RETURN 'issued';
  END $$;
`;

import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/**
 * Resource servers: APIs elsewhere that tokens can be issued for. An older program refuses their tokens at the API,
 * whose audience they do not have, and ends them by the revocation of their server like all others.
 */
export class ResourceServers1764165000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    await runner.query(redeem('server_id', 'server'));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(redeem());
    await runner.query(`
      -- Without the column nothing would tell that these were issued for a server.
      DELETE FROM access_tokens WHERE server_id IS NOT NULL;
      ALTER TABLE access_tokens DROP COLUMN server_id;
      ALTER TABLE consents DROP COLUMN granted_to_servers;
      DROP TABLE resource_server_credentials, resource_servers;
    `);
  }
}

const TABLES = `
  CREATE TABLE resource_servers (
    id text COLLATE "C" CONSTRAINT resource_servers_pkey PRIMARY KEY,
    -- As registered: the audience of tokens. Compared in canonical form.
    identifier text COLLATE "C" NOT NULL
      CONSTRAINT resource_servers_identifier_key UNIQUE,
    canonical text COLLATE "C" NOT NULL
      CONSTRAINT resource_servers_canonical_key UNIQUE,
    name text NOT NULL,
    -- NULL for all of the catalogue.
    scopes text[],
    accepts_keys boolean NOT NULL,
    dynamic_clients boolean NOT NULL,
    -- Grants with an earlier position were made for an earlier server with this identifier.
    issue_seq bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT gatehouse_now()
  );

  CREATE TABLE resource_server_credentials (
    id text COLLATE "C" CONSTRAINT resource_server_credentials_pkey PRIMARY KEY,
    server_id text COLLATE "C" NOT NULL
      CONSTRAINT resource_server_credentials_server_fkey REFERENCES resource_servers ON DELETE CASCADE,
    digest text COLLATE "C" NOT NULL
      CONSTRAINT resource_server_credentials_digest_key UNIQUE,
    digest_key_id text COLLATE "C" NOT NULL,
    masked text NOT NULL,
    subjects text[] COLLATE "C" NOT NULL,
    issue_seq bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT gatehouse_now(),
    expires_at timestamptz
  );
  CREATE INDEX resource_server_credentials_of_server ON resource_server_credentials (server_id);
  CREATE INDEX resource_server_credentials_digest_keys ON resource_server_credentials (digest_key_id);

  ALTER TABLE access_tokens ADD COLUMN server_id text COLLATE "C";

  -- The scopes that a user granted to a client for each resource server, by its id.
  ALTER TABLE consents ADD COLUMN granted_to_servers jsonb NOT NULL DEFAULT '{}';
`;

/**
 * The function of the grace window's migration. With resource servers, an access token for one names it, among its
 * subjects too, so that it ends with the server.
 *
 * @param column the further column of an access token, with its value; none before this migration
 */
function redeem(column?: string, value?: string): string {
  const further = column === undefined ? '' : `, ${column}`;
  const values = value === undefined ? '' : `, ${value}`;
  const subjects =
    value === undefined
      ? 'access_id || parent.subjects'
      : `array_remove(ARRAY[access_id, ${value}], NULL) || parent.subjects`;
  return `
  CREATE OR REPLACE FUNCTION redeem_and_issue(
    source text, source_digest text, source_expires_at timestamptz, of_grant text,
    digest_key text, access_id text, access_digest text, access_scopes text[],
    access_audience text, access_seconds integer,
    refresh_id text, refresh_digest text, refresh_payload jsonb, refresh_seconds integer,
    sealed_answer bytea, hash_of_request text, grace_seconds integer, competing_seconds float8
  ) RETURNS text LANGUAGE plpgsql AS $$
  DECLARE
    now timestamptz;
    parent grants;
    server text;
  BEGIN
    -- Ending the grant holds this lock exclusively: it comes before and is seen, or after and sees.
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(of_grant, 0));
    -- The time now, not when the wait began.
    now := gatehouse_now() + (clock_timestamp() - statement_timestamp());
    SELECT * INTO parent FROM grants g WHERE g.id = of_grant;
    IF NOT FOUND OR EXISTS (SELECT FROM revocations r
      WHERE r.subject = ANY (parent.subjects) AND r.seq > parent.issue_seq)
    THEN RETURN 'dead'; END IF;
    ${value === undefined ? '' : SERVER}

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
        scopes, audience, subjects, issue_seq, issued_at, expires_at${further})
      VALUES (access_digest, digest_key, access_id, parent.tenant_id, parent.account_id, parent.client_id,
        of_grant, access_scopes, access_audience, ${subjects}, parent.issue_seq, now,
        now + make_interval(secs => access_seconds)${values});
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
}

const SERVER = `
    SELECT r.id INTO server FROM resource_servers r
      WHERE r.identifier = access_audience AND r.issue_seq < parent.issue_seq;`;

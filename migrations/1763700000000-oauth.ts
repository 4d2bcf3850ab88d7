import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Clients, grants, tokens and the rest of what OAuth keeps; sessions, signing keys, counted attempts. */
export class Oauth1763700000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(CLIENTS);
    await runner.query(GRANTS);
    await runner.query(TOKENS);
    await runner.query(REDEEM);
    await runner.query(SESSIONS);
    await runner.query(SIGNING_KEYS);
    await runner.query(ATTEMPTS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP FUNCTION redeem_for_tokens;
      DROP INDEX revocations_forgettable;
      DROP TABLE attempts, signing_keys, sessions, oauth_artifacts, refresh_tokens, access_tokens,
        consents, grants, client_blocks, clients;
    `);
  }
}

const CLIENTS = `
  CREATE TABLE clients (
    id text COLLATE "C" CONSTRAINT clients_pkey PRIMARY KEY,
    name text NOT NULL,
    -- As registered (RFC 7591 §2), without the client's id and secrets.
    metadata jsonb NOT NULL,
    secret_digest text COLLATE "C" CONSTRAINT clients_secret_digest_key UNIQUE,
    secret_digest_key_id text COLLATE "C",
    registration_digest text COLLATE "C" CONSTRAINT clients_registration_digest_key UNIQUE,
    registration_digest_key_id text COLLATE "C",
    is_verified boolean NOT NULL DEFAULT false,
    blocked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT gatehouse_now()
  );
  CREATE INDEX clients_by_age ON clients (created_at, id);
  CREATE INDEX clients_secret_digest_keys ON clients (secret_digest_key_id)
    WHERE secret_digest_key_id IS NOT NULL;
  CREATE INDEX clients_registration_digest_keys ON clients (registration_digest_key_id)
    WHERE registration_digest_key_id IS NOT NULL;

  -- A tenant that does not want a client; the operator blocks one for all by clients.blocked_at.
  CREATE TABLE client_blocks (
    client_id text COLLATE "C" NOT NULL
      CONSTRAINT client_blocks_client_fkey REFERENCES clients ON DELETE CASCADE,
    tenant_id text COLLATE "C" NOT NULL CONSTRAINT client_blocks_tenant_fkey REFERENCES tenants,
    created_at timestamptz NOT NULL DEFAULT gatehouse_now(),
    CONSTRAINT client_blocks_pkey PRIMARY KEY (client_id, tenant_id)
  );
  CREATE INDEX client_blocks_of_tenant ON client_blocks (tenant_id);
`;

const GRANTS = `
  -- One authorization by one user for one installation of a client: a family of tokens.
  CREATE TABLE grants (
    id text COLLATE "C" CONSTRAINT grants_pkey PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL CONSTRAINT grants_tenant_fkey REFERENCES tenants,
    account_id text COLLATE "C" NOT NULL CONSTRAINT grants_account_fkey REFERENCES accounts,
    client_id text COLLATE "C" NOT NULL
      CONSTRAINT grants_client_fkey REFERENCES clients ON DELETE CASCADE,
    scopes text[] NOT NULL,
    resources text[] NOT NULL,
    redirect_uri text NOT NULL,
    subjects text[] COLLATE "C" NOT NULL,
    issue_seq bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT gatehouse_now(),
    -- Nothing that was issued under it lives longer. Raised in steps of a day, so that few refreshes write it.
    keep_until timestamptz NOT NULL
  ) WITH (fillfactor = 85);
  CREATE INDEX grants_of_account ON grants (account_id, tenant_id);
  CREATE INDEX grants_of_tenant ON grants (tenant_id, issue_seq);
  CREATE INDEX grants_of_client ON grants (client_id);
  CREATE INDEX grants_by_end ON grants (keep_until);

  -- What a user agreed to, apart from the grants that came of it: ending one installation ends no other.
  CREATE TABLE consents (
    account_id text COLLATE "C" NOT NULL CONSTRAINT consents_account_fkey REFERENCES accounts,
    tenant_id text COLLATE "C" NOT NULL CONSTRAINT consents_tenant_fkey REFERENCES tenants,
    client_id text COLLATE "C" NOT NULL
      CONSTRAINT consents_client_fkey REFERENCES clients ON DELETE CASCADE,
    offered text[] NOT NULL,
    granted text[] NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT gatehouse_now(),
    CONSTRAINT consents_pkey PRIMARY KEY (account_id, tenant_id, client_id)
  );
  CREATE INDEX consents_of_client ON consents (client_id);
  CREATE INDEX consents_of_tenant ON consents (tenant_id);

  -- Only what ends with a grant or a token may be forgotten, and once that has expired it is.
  CREATE INDEX revocations_forgettable ON revocations (revoked_at)
    WHERE starts_with(subject, 'grt_') OR starts_with(subject, 'tok_');
`;

// Partitioned by expiry: cleaning up is dropping a partition. See src/db/partitions.ts.
const TOKENS = `
  CREATE TABLE access_tokens (
    digest text COLLATE "C" NOT NULL,
    digest_key_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    grant_id text COLLATE "C" NOT NULL,
    scopes text[] NOT NULL,
    audience text NOT NULL,
    -- The grant's, and the token itself; the place in the order of issues is the grant's too, so that
    -- whatever ends the grant ends every token under it, whenever that was inserted.
    subjects text[] COLLATE "C" NOT NULL,
    issue_seq bigint NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT access_tokens_pkey PRIMARY KEY (digest, expires_at)
  ) PARTITION BY RANGE (expires_at);
  CREATE INDEX access_tokens_digest_keys ON access_tokens (digest_key_id);

  CREATE TABLE refresh_tokens (
    digest text COLLATE "C" NOT NULL,
    digest_key_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    grant_id text COLLATE "C" NOT NULL,
    payload jsonb NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    consumed_at timestamptz,
    -- Within the grace window: what the consumer was answered (encrypted), for which request, and by
    -- which token it was succeeded.
    answer bytea,
    answer_key_id text COLLATE "C",
    answer_until timestamptz,
    request_hash text,
    successor_digest text COLLATE "C",
    CONSTRAINT refresh_tokens_pkey PRIMARY KEY (digest, expires_at)
  ) PARTITION BY RANGE (expires_at);
  CREATE INDEX refresh_tokens_digest_keys ON refresh_tokens (digest_key_id);
  CREATE INDEX refresh_tokens_answers ON refresh_tokens (answer_until) WHERE answer IS NOT NULL;
  CREATE INDEX refresh_tokens_answer_keys ON refresh_tokens (answer_key_id)
    WHERE answer_key_id IS NOT NULL;

  -- Authorization codes, interactions and whatever else the protocol keeps for minutes.
  CREATE TABLE oauth_artifacts (
    digest text COLLATE "C" NOT NULL,
    digest_key_id text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    grant_id text COLLATE "C",
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT gatehouse_now(),
    expires_at timestamptz NOT NULL,
    consumed_at timestamptz,
    CONSTRAINT oauth_artifacts_pkey PRIMARY KEY (digest, expires_at)
  ) PARTITION BY RANGE (expires_at);
`;

// One statement from the client's side, and one transaction: it either consumes the code or refresh token
// and inserts what it is exchanged for, or does nothing. Written as a function because what follows the lock has to see
// what was committed while waiting for it, which the snapshot of a single SQL statement would not.
const REDEEM = `
  CREATE FUNCTION redeem_for_tokens(
    source text, source_digest text, source_expires_at timestamptz, of_grant text,
    digest_key text, access_id text, access_digest text, access_scopes text[],
    access_audience text, access_seconds integer,
    refresh_id text, refresh_digest text, refresh_payload jsonb, refresh_seconds integer,
    sealed_answer bytea, sealed_under text, hash_of_request text, grace_seconds integer,
    competing_seconds float8
  ) RETURNS text LANGUAGE plpgsql AS $$
  DECLARE
    now timestamptz;
    parent grants;
  BEGIN
    -- Whoever ends the grant holds this lock exclusively: it ends before, and is seen, or after, and sees.
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(of_grant, 0));
    -- The time now, and not when the waiting began.
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
      UPDATE refresh_tokens s SET consumed_at = now + make_interval(secs => competing_seconds), answer = sealed_answer, answer_key_id = sealed_under,
          answer_until = CASE WHEN sealed_answer IS NOT NULL THEN now + make_interval(secs => grace_seconds) END,
          request_hash = hash_of_request, successor_digest = refresh_digest
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
      INSERT INTO refresh_tokens (digest, digest_key_id, id, grant_id, payload, issued_at, expires_at)
        VALUES (refresh_digest, digest_key, refresh_id, of_grant, refresh_payload, now,
          now + make_interval(secs => refresh_seconds));
    END IF;
    UPDATE grants g SET keep_until = now + make_interval(days => 1, secs => greatest(access_seconds, refresh_seconds))
      WHERE g.id = of_grant
        AND g.keep_until < now + make_interval(secs => greatest(access_seconds, refresh_seconds));
    RETURN 'issued';
  END $$;
`;

const SESSIONS = `
  CREATE TABLE sessions (
    id text COLLATE "C" CONSTRAINT sessions_pkey PRIMARY KEY,
    digest text COLLATE "C" NOT NULL CONSTRAINT sessions_digest_key UNIQUE,
    digest_key_id text COLLATE "C" NOT NULL,
    account_id text COLLATE "C" CONSTRAINT sessions_account_fkey REFERENCES accounts,
    payload jsonb NOT NULL,
    subjects text[] COLLATE "C" NOT NULL,
    issue_seq bigint NOT NULL,
    address text,
    user_agent text,
    created_at timestamptz NOT NULL DEFAULT gatehouse_now(),
    seen_at timestamptz NOT NULL DEFAULT gatehouse_now(),
    expires_at timestamptz NOT NULL
  );
  CREATE INDEX sessions_of_account ON sessions (account_id, created_at);
  CREATE INDEX sessions_by_end ON sessions (expires_at);
  CREATE INDEX sessions_digest_keys ON sessions (digest_key_id);
`;

const SIGNING_KEYS = `
  CREATE TABLE signing_keys (
    id text COLLATE "C" CONSTRAINT signing_keys_pkey PRIMARY KEY,
    algorithm text NOT NULL,
    public_jwk jsonb NOT NULL,
    ciphertext bytea NOT NULL,
    ciphertext_key_id text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL DEFAULT gatehouse_now(),
    -- Published from the start; signs from here on, until another does.
    signs_from timestamptz NOT NULL,
    -- No longer published from here on: the last token that it signed has expired. NULL while it signs or will.
    ends_at timestamptz
  );
  CREATE INDEX signing_keys_ciphertext_keys ON signing_keys (ciphertext_key_id);
`;

const ATTEMPTS = `
  -- Strict limits: the times of the latest attempts of one kind by one source, oldest first.
  CREATE TABLE attempts (
    bucket text COLLATE "C" CONSTRAINT attempts_pkey PRIMARY KEY,
    times timestamptz[] NOT NULL,
    expires_at timestamptz NOT NULL
  );
  CREATE INDEX attempts_by_end ON attempts (expires_at);
`;

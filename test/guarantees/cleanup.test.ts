import { beforeAll, describe, expect, it } from '@jest/globals';

import { runCleanup } from '../../src/server/cleanup.js';

import { useGatehouse } from '../support/app/use-gatehouse.js';

/** Two of everything: `old` is over by now, `new` is not. */
const ROWS = `
  DELETE FROM signing_keys;
  INSERT INTO accounts (id, email, password_hash) VALUES ('usr_1', 'ann@example.com', 'x');
  INSERT INTO clients (id, name, metadata) VALUES ('cli_1', 'A', '{}');
  INSERT INTO attempts (bucket, times, expires_at) SELECT name, '{}', until FROM ages;
  INSERT INTO rate_windows (bucket, ends_at, replica, window_seconds, units, changed_at)
    SELECT name, until, '', 60, 1, until - interval '1 minute' FROM ages;
  INSERT INTO oauth_artifacts (digest, digest_key_id, kind, payload, expires_at)
    SELECT name || kind, '', kind, '{}', until FROM ages, unnest(ARRAY['Interaction', 'AuthorizationCode']) AS kind;
  INSERT INTO sessions (id, digest, digest_key_id, payload, subjects, issue_seq, expires_at)
    SELECT name, name, '', '{}', '{}', 0, until - interval '1 hour' FROM ages;
  INSERT INTO signing_keys (id, algorithm, public_jwk, ciphertext, ciphertext_key_id, signs_from, ends_at)
    SELECT name, '', '{}', '', '', gatehouse_now(), until FROM ages;
  INSERT INTO signing_keys (id, algorithm, public_jwk, ciphertext, ciphertext_key_id, signs_from, ends_at)
    SELECT 'endless', '', '{}', '', '', gatehouse_now(), NULL;
  INSERT INTO idempotency_records (scope, key, fingerprint, status, body, body_key_id, created_at)
    SELECT '', name, '', 201, '', '', until - interval '24 hours' FROM ages;
  INSERT INTO refresh_tokens (digest, digest_key_id, id, grant_id, payload, issued_at, expires_at, consumed_at,
      answer, answer_key_id, answer_until, request_hash, successor_digest)
    SELECT name, '', name, '', '{}', gatehouse_now(), gatehouse_now() + interval '1 day', gatehouse_now(),
      'sealed', 'key', until, 'hash', 'next' FROM ages;
  INSERT INTO grants (id, tenant_id, account_id, client_id, scopes, resources, redirect_uri, subjects,
      issue_seq, keep_until)
    SELECT 'grt_' || ages.name, tenants.id, 'usr_1', 'cli_1', '{}', '{}', '', '{}', 0, until FROM ages, tenants;
  INSERT INTO revocations (subject, seq, revoked_by, revoked_at)
    SELECT prefix || name, 0, '', until - interval '32 days'
    FROM ages, unnest(ARRAY['grt_gone_', 'tok_', 'grt_', 'key_', 'usr_', 'tnt_', 'cli_']) AS prefix;
  INSERT INTO revocations (subject, seq, revoked_by, revoked_at)
    VALUES ('grt_new', 1, '', gatehouse_now() - interval '100 days');
`;

const AGES = `CREATE TEMP TABLE ages ON COMMIT DROP AS
  SELECT * FROM (VALUES ('old', gatehouse_now() - interval '1 minute'),
    ('new', gatehouse_now() + interval '10 minutes')) AS age (name, until)`;

describe('the cleanup of expired rows', () => {
  const gatehouse = useGatehouse();
  beforeAll(async () => {
    await gatehouse.createTenant('acme');
  });

  const cleanUp = (signal = new AbortController().signal) =>
    runCleanup(gatehouse.dataSource, signal);
  const column = async (sql: string) => {
    const rows = await gatehouse.database.query<{ value: string }>(`${sql} ORDER BY 1`);
    return rows.map(({ value }) => value);
  };

  it('deletes expired rows and no others', async () => {
    await gatehouse.dataSource.transaction(async (manager) => {
      await manager.query(AGES);
      await manager.query(ROWS);
    });
    await cleanUp();

    expect(await column('SELECT bucket AS value FROM attempts')).toEqual(['new']);
    expect(await column('SELECT bucket AS value FROM rate_windows')).toEqual(['new']);
    // Codes stay until their partition goes: a second use of one must be noticed.
    expect(await column('SELECT digest AS value FROM oauth_artifacts')).toEqual([
      'newAuthorizationCode',
      'newInteraction',
      'oldAuthorizationCode',
    ]);
    expect(await column('SELECT id AS value FROM sessions')).toEqual(['new']);
    expect(await column('SELECT id AS value FROM signing_keys')).toEqual(['endless', 'new']);
    expect(await column('SELECT key AS value FROM idempotency_records')).toEqual(['new']);
    expect(await column('SELECT id AS value FROM grants')).toEqual(['grt_new']);
    expect(await column('SELECT subject AS value FROM revocations')).toEqual([
      'cli_new',
      'cli_old',
      'grt_gone_new',
      'grt_new',
      'grt_new',
      'key_new',
      'key_old',
      'tnt_new',
      'tnt_old',
      'tok_new',
      'usr_new',
      'usr_old',
    ]);
  });

  it('erases the answer of a grace window and keeps its token', async () => {
    const rows = await gatehouse.database.query(
      `SELECT digest, answer::text, answer_key_id, request_hash, successor_digest FROM refresh_tokens ORDER BY 1`,
    );
    const kept = { request_hash: 'hash', successor_digest: 'next' };
    expect(rows).toEqual([
      { digest: 'new', answer: expect.any(String), answer_key_id: 'key', ...kept },
      { digest: 'old', answer: null, answer_key_id: null, ...kept },
    ]);
  });

  it('deletes more rows than one batch holds', async () => {
    await gatehouse.database.query(
      `INSERT INTO revocations (subject, seq, revoked_by, revoked_at)
       SELECT 'tok_' || n, n, '', gatehouse_now() - interval '33 days' FROM generate_series(1, 2500) n`,
    );
    await cleanUp();
    expect(
      await column(`SELECT count(*) AS value FROM revocations WHERE starts_with(subject, 'tok_')`),
    ).toEqual(['1']);
  });

  it('runs on all replicas at once without an error', async () => {
    await gatehouse.database.query(
      `INSERT INTO sessions (id, digest, digest_key_id, payload, subjects, issue_seq, expires_at)
       SELECT n, n, '', '{}', '{}', 0, gatehouse_now() - interval '2 hours' FROM generate_series(1, 2500) n`,
    );
    await Promise.all([cleanUp(), cleanUp(), cleanUp()]);
    await cleanUp();
    expect(await column('SELECT id AS value FROM sessions')).toEqual(['new']);
  });

  it('deletes the rest when one table fails', async () => {
    await gatehouse.database.shiftClock('20 minutes');
    await gatehouse.database.query('ALTER TABLE idempotency_records RENAME TO elsewhere');
    await expect(cleanUp()).rejects.toMatchObject({ errors: [expect.anything()] });
    await gatehouse.database.query('ALTER TABLE elsewhere RENAME TO idempotency_records');

    expect(await column('SELECT bucket AS value FROM attempts')).toEqual([]);
    expect(await column('SELECT id AS value FROM grants')).toEqual([]);
  });

  it('stops when it is aborted', async () => {
    const before = await gatehouse.database.dump();
    await gatehouse.database.shiftClock('2 days');
    await cleanUp(AbortSignal.abort());
    expect(await gatehouse.database.dump()).toBe(before);
  });
});

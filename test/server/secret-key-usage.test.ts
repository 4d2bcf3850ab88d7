import { beforeAll, describe, expect, it } from '@jest/globals';

import { assertSecretKeysPresent, countSecretKeyUsage } from '../../src/server/secret-key-usage.js';

import { useGatehouse } from '../support/app/use-gatehouse.js';

const SOON = `gatehouse_now() + interval '30 minutes'`;
const OVER = `gatehouse_now() - interval '1 second'`;

/** Rows whose key is named after what they are; those under `dead` are no longer good. */
const ROWS = `
  INSERT INTO accounts (id, email, password_hash) VALUES ('usr_1', 'ann@example.com', 'x');
  INSERT INTO clients (id, name, metadata, secret_digest, secret_digest_key_id,
      registration_digest, registration_digest_key_id) VALUES
    ('cli_1', 'A', '{}', 'a', 'secrets', 'b', 'registrations'), ('cli_2', 'B', '{}', NULL, NULL, NULL, NULL);
  INSERT INTO grants (id, tenant_id, account_id, client_id, scopes, resources, redirect_uri, subjects,
      issue_seq, keep_until)
    SELECT grants.id, tenants.id, 'usr_1', 'cli_1', '{}', '{}', 'https://a.example', ARRAY[grants.id], 0, ${SOON}
    FROM tenants, (VALUES ('grt_good'), ('grt_dead')) AS grants (id);
  INSERT INTO revocations (subject, seq, revoked_by) VALUES
    ('grt_dead', 1, 'test'), ('tok_dead', 1, 'test'), ('usr_dead', 1, 'test');
  INSERT INTO access_tokens (digest, digest_key_id, id, tenant_id, account_id, client_id, grant_id, scopes,
      audience, subjects, issue_seq, issued_at, expires_at)
    SELECT token.id, key, token.id, '', '', '', '', '{}', '', ARRAY[token.id], 0, ${OVER}, until
    FROM (VALUES ('tok_a', 'access', ${SOON}), ('tok_b', 'access', ${SOON}), ('tok_dead', 'dead', ${SOON}),
      ('tok_over', 'dead', ${OVER})) AS token (id, key, until);
  INSERT INTO refresh_tokens (digest, digest_key_id, id, grant_id, payload, issued_at, expires_at, consumed_at)
    SELECT id, key, id, grant_id, '{}', ${OVER}, until, consumed_at
    FROM (VALUES
      ('r1', 'refresh', 'grt_good', ${SOON}, NULL::timestamptz),
      ('r2', 'dead', 'grt_dead', ${SOON}, NULL),
      ('r3', 'dead', 'grt_good', ${OVER}, NULL),
      ('r4', 'dead', 'grt_good', ${SOON}, ${OVER}))
      AS token (id, key, grant_id, until, consumed_at);
  INSERT INTO idempotency_records (scope, key, fingerprint, status, body, body_key_id, created_at) VALUES
    ('', 'new', '', 201, '', 'answers', ${OVER}),
    ('', 'old', '', 201, '', 'dead', gatehouse_now() - interval '25 hours');
  INSERT INTO oauth_artifacts (digest, digest_key_id, kind, payload, expires_at, consumed_at) VALUES
    ('a1', 'codes', 'x', '{}', ${SOON}, NULL), ('a2', 'dead', 'x', '{}', ${OVER}, NULL),
    ('a3', 'dead', 'x', '{}', ${SOON}, ${OVER});
  INSERT INTO sessions (id, digest, digest_key_id, payload, subjects, issue_seq, expires_at) VALUES
    ('s1', 's1', 'sessions', '{}', '{usr_1}', 0, ${SOON}), ('s2', 's2', 'dead', '{}', '{usr_dead}', 0, ${SOON}),
    ('s3', 's3', 'dead', '{}', '{}', 0, ${OVER});
  INSERT INTO outgoing_mail (id, kind, ciphertext, ciphertext_key_id, expires_at) VALUES
    ('m1', 'x', 'x', 'mail', ${SOON}), ('m2', 'x', 'x', 'dead', ${OVER});
  INSERT INTO invitations (id, tenant_id, email, role, digest, digest_key_id, is_mailed, invited_by, expires_at)
    SELECT i.id, tenants.id, i.id, 'viewer', i.id, key, true, 'usr_1', until
    FROM tenants, (VALUES ('i1', 'invitations', ${SOON}), ('i2', 'dead', ${OVER})) AS i (id, key, until);
  INSERT INTO account_links (digest, digest_key_id, purpose, account_id, email, expires_at) VALUES
    ('l1', 'links', 'password', 'usr_1', 'x', ${SOON}), ('l2', 'dead', 'email', 'usr_1', 'x', ${OVER});
  INSERT INTO signing_keys (id, algorithm, public_jwk, ciphertext, ciphertext_key_id, signs_from, ends_at) VALUES
    ('k1', 'ES256', '{}', 'x', 'signing', ${OVER}, NULL), ('k2', 'ES256', '{}', 'x', 'signing', ${OVER}, ${SOON}),
    ('k3', 'ES256', '{}', 'x', 'dead', ${OVER}, ${OVER});
`;

describe('the rows that depend on a secret key', () => {
  const gatehouse = useGatehouse();
  beforeAll(async () => {
    await gatehouse.createTenant('acme');
    await gatehouse.database.query(ROWS);
  });

  it('is counted while it is valid', async () => {
    const usages = await countSecretKeyUsage(gatehouse.dataSource, gatehouse.keyring);
    const used = usages.map(({ id, state, ...counts }) => [
      id,
      [state, Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))],
    ]);

    expect(Object.fromEntries(used)).toEqual({
      // The one that every installation begins with.
      [gatehouse.keyring.currentId]: ['current', { signingKeys: 2 }],
      access: ['missing', { tokens: 2 }],
      answers: ['missing', { rememberedAnswers: 1 }],
      codes: ['missing', { artifacts: 1 }],
      invitations: ['missing', { mail: 1 }],
      links: ['missing', { mail: 1 }],
      mail: ['missing', { mail: 1 }],
      refresh: ['missing', { tokens: 1 }],
      registrations: ['missing', { clients: 1 }],
      secrets: ['missing', { clients: 1 }],
      sessions: ['missing', { sessions: 1 }],
      signing: ['missing', { signingKeys: 2 }],
    });
  });

  it('refuses a start without that key, unless it expires in minutes', async () => {
    const start = assertSecretKeysPresent(gatehouse.dataSource, gatehouse.keyring);
    const { message } = await start.then(
      () => new Error('it started'),
      (error: unknown) => error as Error,
    );
    const [, ids = ''] = /\(id ([^)]+)\)/.exec(message) ?? [];

    expect(ids.split(', ').toSorted()).toEqual([
      'access',
      'answers',
      'invitations',
      'links',
      'mail',
      'refresh',
      'registrations',
      'secrets',
      'sessions',
      'signing',
    ]);
  });
});

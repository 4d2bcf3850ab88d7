import pg from 'pg';

import type { Keyring } from '../src/credentials/secrets/keyring.js';
import type { SecretFormat } from '../src/credentials/secrets/format.js';
import { createId } from '../src/db/id.js';
import * as fixture from './oauth-fixture.js';

const ACCOUNTS = 1000;
const BATCH = 10_000;

interface Seeding {
  readonly keyring: Keyring;
  readonly format: SecretFormat;
}

/** Parties of the grants that `seedTokens` needs. */
export interface Parties {
  readonly tenantId: string;
  readonly accountIds: readonly string[];
}

/** Fills the database with a tenant, its members, and the two clients. */
export async function seedParties(target: pg.ClientConfig, keyring: Keyring): Promise<Parties> {
  const tenantId = createId('tnt');
  const accountIds = Array.from({ length: ACCOUNTS }, () => createId('usr'));
  await withClient(target, async (client) => {
    await client.query(`INSERT INTO tenants (id, slug, name) VALUES ($1, 'bench', 'Bench')`, [
      tenantId,
    ]);
    await client.query(
      `INSERT INTO accounts (id, email, name, password_hash)
       SELECT id, lower(id) || '@example.com', $2, 'none' FROM unnest($1::text[]) AS a (id)`,
      [accountIds, fixture.ACCOUNT.name],
    );
    await client.query(
      `INSERT INTO memberships (account_id, tenant_id, role) SELECT id, $2, 'company_admin' FROM unnest($1::text[]) AS a (id)`,
      [accountIds, tenantId],
    );
    await insertClient(client, fixture.PUBLIC_CLIENT, 'none');
    await insertClient(client, fixture.CONFIDENTIAL_CLIENT, 'client_secret_basic');
    const { digest, keyId } = keyring.digest(fixture.CLIENT_SECRET);
    await client.query(
      'UPDATE clients SET secret_digest = $2, secret_digest_key_id = $3 WHERE id = $1',
      [fixture.CONFIDENTIAL_CLIENT, digest, keyId],
    );
  });
  return { tenantId, accountIds };
}

async function insertClient(client: pg.Client, id: string, authMethod: string): Promise<void> {
  const metadata = {
    client_name: 'Bench app',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: [fixture.REDIRECT],
    response_types: ['code'],
    application_type: 'web',
    token_endpoint_auth_method: authMethod,
  };
  await client.query('INSERT INTO clients (id, name, metadata) VALUES ($1, $2, $3)', [
    id,
    metadata.client_name,
    JSON.stringify(metadata),
  ]);
}

/**
 * Puts tokens of one kind in the place of all there are, each under a grant of its own.
 *
 * @returns them
 */
export async function seedTokens(
  target: pg.ClientConfig,
  { tenantId, accountIds }: Parties,
  { keyring, format, kind, count }: Seeding & { kind: fixture.TokenKind; count: number },
): Promise<readonly string[]> {
  const { prefix, insert } = TABLES[kind];
  const { clientId, scope } = fixture.TOKENS[kind];
  const secrets = Array.from({ length: count }, () => format.mint(prefix));
  await withClient(target, async (client) => {
    await client.query(
      'TRUNCATE access_tokens, refresh_tokens, oauth_artifacts, grant_uses, grants',
    );
    for (let done = 0; done < count; done += BATCH) {
      const rows = secrets.slice(done, done + BATCH).map((secret, index) => ({
        id: createId('tok'),
        grantId: createId('grt'),
        accountId: accountIds[(done + index) % accountIds.length] ?? '',
        digest: keyring.digest(secret).digest,
      }));
      const grants = rows.map(({ grantId }) => grantId);
      await client.query(INSERT_GRANTS, [
        grants,
        rows.map(({ accountId }) => accountId),
        tenantId,
        clientId,
        scope.split(' '),
        [fixture.RESOURCE],
        fixture.REDIRECT,
      ]);
      await client.query(insert, [
        grants,
        rows.map(({ digest }) => digest),
        keyring.currentId,
        rows.map(({ id }) => id),
        JSON.stringify(payloadOf(kind)),
      ]);
    }
    // All of it, as a database's own daemon does soon: the planner should know its tables.
    await client.query('VACUUM ANALYZE');
    // Else it would be written out while others are measured.
    await client.query('CHECKPOINT');
  });
  return secrets;
}

const INSERT_GRANTS = `
  INSERT INTO grants (id, tenant_id, account_id, client_id, scopes, resources, redirect_uri, subjects,
    issue_seq, keep_until)
  SELECT id, $3, account_id, $4, $5, $6, $7,
    ARRAY[id, $4, $4 || '@' || $3, account_id || '@' || $3, account_id, $3],
    nextval('issue_order'), gatehouse_now() + interval '31 days'
  FROM unnest($1::text[], $2::text[]) AS g (id, account_id)`;

/** The id of a token in its grant's row is known to the database only. */
const PAYLOAD = `$5::jsonb || jsonb_build_object('grantId', g.id, 'clientId', g.client_id, 'accountId', g.account_id)`;
const FROM_GRANTS = `
  FROM unnest($1::text[], $2::text[], $4::text[]) AS t (grant_id, digest, id)
    JOIN grants g ON g.id = t.grant_id`;

const CODES = `
  INSERT INTO oauth_artifacts (digest, digest_key_id, kind, grant_id, payload, expires_at)
  SELECT t.digest, $3, 'AuthorizationCode', g.id, ${PAYLOAD}, gatehouse_now() + interval '1 hour'
  ${FROM_GRANTS}`;
const REFRESH_TOKENS = `
  INSERT INTO refresh_tokens (digest, digest_key_id, id, grant_id, payload, issued_at, expires_at)
  SELECT t.digest, $3, t.id, g.id, ${PAYLOAD}, gatehouse_now(), gatehouse_now() + interval '30 days'
  ${FROM_GRANTS}`;
const ACCESS_TOKENS = `
  INSERT INTO access_tokens (digest, digest_key_id, id, tenant_id, account_id, client_id, grant_id, scopes,
    audience, subjects, issue_seq, issued_at, expires_at)
  SELECT t.digest, $3, t.id, g.tenant_id, g.account_id, g.client_id, g.id, g.scopes,
    $5::jsonb->>'resource', t.id || g.subjects, g.issue_seq, gatehouse_now(), gatehouse_now() + interval '1 hour'
  ${FROM_GRANTS}`;

const TABLES: Readonly<Record<fixture.TokenKind, { prefix: string; insert: string }>> = {
  code: { prefix: 'ac', insert: CODES },
  refresh: { prefix: 'rt', insert: REFRESH_TOKENS },
  'refresh-openid': { prefix: 'rt', insert: REFRESH_TOKENS },
  access: { prefix: 'at', insert: ACCESS_TOKENS },
  'access-openid': { prefix: 'at', insert: ACCESS_TOKENS },
};

/** As `src/oauth/token/issue-tokens.ts` leaves it, without what is the grant's. */
function payloadOf(kind: fixture.TokenKind): object {
  const { scope } = fixture.TOKENS[kind];
  const now = Math.floor(Date.now() / 1000);
  const common = {
    amr: ['pwd'],
    iat: now,
    exp: now + 3600,
    authTime: now,
    scope,
    resource: fixture.RESOURCE,
    sessionUid: 'epo8DDBz5wvfmjygKOWByi_7RdVQr_ynUfbqYSGFNVm',
  };
  if (kind !== 'code') {
    return {
      ...common,
      kind: 'RefreshToken',
      gty: 'authorization_code',
      iiat: now,
      rotations: 0,
    };
  }
  return {
    ...common,
    kind: 'AuthorizationCode',
    redirectUri: fixture.REDIRECT,
    codeChallenge: fixture.CODE_CHALLENGE,
    codeChallengeMethod: 'S256',
  };
}

async function withClient(
  target: pg.ClientConfig,
  work: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const client = new pg.Client(target);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

import { beforeAll, describe, expect, it } from '@jest/globals';

import { KEY_KINDS } from '../../src/credentials/kinds.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestKey } from '../support/app/app.js';
import { createCredential } from '../support/app/credentials.js';
import { DEFAULT_LIMITS } from '../support/app/limits.js';
import { confine, createSpace, defaultSpaceOf } from '../support/app/spaces.js';
import { createUser, getTokens, post, registerClient } from '../support/oauth/oauth.js';
import { authenticationOf, expectOAuthError } from '../support/oauth/oauth-requests.js';
import {
  addResourceServer,
  resourcesCommand,
  type TestResourceServer,
} from '../support/oauth/resource-servers.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

type Fields = Readonly<Record<string, string>>;

interface Exchanged {
  readonly access_token: string;
  readonly scope: string;
  readonly [member: string]: unknown;
}

/** The two ways to get a token for a key. */
type Way = (key: TestKey, more?: Fields, headers?: Fields) => Promise<Response>;

describe('tokens for keys', () => {
  const gatehouse = useGatehouse({
    TRUST_PROXY: '127.0.0.1',
    RATE_LIMIT_KEY_PER_MINUTE: DEFAULT_LIMITS['RATE_LIMIT_KEY_PER_MINUTE'] ?? '',
  });
  let tenant: Tenant;
  let key: TestKey;
  let files: TestResourceServer;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    key = await gatehouse.createKey(tenant, {
      scopes: ['contacts:read', 'leads:read', 'api_keys:manage', 'offline_access'],
    });
    files = await addResourceServer(
      gatehouse,
      'https://files.example.com',
      '--scopes',
      'leads:read',
    );
  });

  const exchange: Way = ({ secret }, more = {}, headers = {}) =>
    post(
      gatehouse,
      'token',
      {
        grant_type: EXCHANGE,
        subject_token: secret,
        subject_token_type: ACCESS_TOKEN,
        ...more,
      },
      headers,
    );
  const asClient: Way = ({ id, secret }, more = {}, headers = {}) =>
    post(
      gatehouse,
      'token',
      { grant_type: 'client_credentials', client_id: id, client_secret: secret, ...more },
      headers,
    );
  const ways = [
    ['token exchange', exchange],
    ['client_credentials', asClient],
  ] as const;
  const bearer = (secret: string) => ({ Authorization: `Bearer ${secret}` });
  const tokenFor = async (of: TestKey, more?: Fields, headers?: Fields, way: Way = exchange) => {
    const answer = await way(of, more, headers);
    const body = (await answer.json()) as Exchanged;
    expect({ status: answer.status, body }).toMatchObject({ status: 200 });
    return body.access_token;
  };
  const call = (path: string, token: string, headers: Fields = {}) =>
    gatehouse.http.get(`/api/v1${path}`).set({ ...bearer(token), ...headers });

  describe.each(ways)('by %s', (_name, way) => {
    it('carry the scopes of the key that OAuth can grant (RFC 8693 §2.2.1, RFC 6749 §4.4.3)', async () => {
      const answer = await way(key);
      expect(answer.headers.get('Cache-Control')).toContain('no-store');
      const body = (await answer.json()) as Exchanged;
      expect(body).toEqual({
        access_token: expect.stringMatching(/^bwp_at_[0-9A-Za-z]{49}$/),
        token_type: 'Bearer',
        expires_in: 3600,
        scope: 'contacts:read leads:read',
        ...(way === exchange && { issued_token_type: ACCESS_TOKEN }),
      });
      const me = await call('/me', body.access_token);
      expect(me.body.data).toMatchObject({
        type: 'access_token',
        clientId: key.id,
        tenantId: tenant.id,
        scopes: ['contacts:read', 'leads:read'],
        environment: 'live',
        principal: { kind: 'tenant', id: tenant.id },
      });
      expect((await call('/contacts', body.access_token)).status).toBe(200);
      expect((await call('/api-keys', body.access_token)).status).toBe(403);
      const userinfo = await call('/oauth/userinfo', body.access_token);
      expect(userinfo.body).toMatchObject({ sub: key.id, tenant_id: tenant.id });
    });

    it('are narrowed by scope, resource and space', async () => {
      const narrow = await tokenFor(key, { scope: 'leads:read offline_access' }, {}, way);
      expect((await call('/contacts', narrow)).status).toBe(403);

      const away = await tokenFor(key, { resource: `${files.identifier}/` }, {}, way);
      expect((await call('/me', away)).status).toBe(401);
      const seen = await post(gatehouse, 'introspect', { token: away }, files.bearer);
      expect(await seen.json()).toMatchObject({
        active: true,
        aud: files.identifier,
        scope: 'leads:read',
        key_id: key.id,
        client_id: key.id,
        sub: tenant.id,
      });

      const yard = await createSpace(gatehouse, tenant, `Yard of ${_name}`);
      const inYard = await tokenFor(key, {}, { 'X-Bwp-Space': yard }, way);
      expect((await call('/contacts', inYard)).status).toBe(403);
      expect((await call('/contacts', inYard, { 'X-Bwp-Space': yard })).status).toBe(200);
    });

    it('are refused where they would be wider than the key, or of no use', async () => {
      for (const scope of [
        'bids:send',
        'api_keys:manage',
        'openid',
        'nothing:read',
        'offline_access',
      ]) {
        await expectOAuthError(await way(key, { scope }), 400, 'invalid_scope');
      }
      // RFC 8693 §2.2.2, RFC 8707 §2
      await expectOAuthError(
        await way(key, { resource: 'https://x.example' }),
        400,
        'invalid_target',
      );
      const away = { resource: files.identifier, scope: 'contacts:read' };
      await expectOAuthError(await way(key, away), 400, 'invalid_scope');
      const other = await gatehouse.createTenant(`other-${Math.random()}`.replace('.', ''));
      const spaces = [await defaultSpaceOf(gatehouse, other), 'yard', ''];
      const confined = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
      await confine(gatehouse, confined, [
        await createSpace(gatehouse, tenant, `Only of ${_name}`),
      ]);
      for (const space of [...spaces, await defaultSpaceOf(gatehouse, tenant)]) {
        const answer = await way(confined, {}, { 'X-Bwp-Space': space });
        await expectOAuthError(answer, 400, 'invalid_request');
      }
      expect((await call('/contacts', await tokenFor(confined, {}, {}, way))).status).toBe(403);
    });

    it('are given for secret, service and agent keys only', async () => {
      for (const kind of KEY_KINDS) {
        const scopes = kind === 'publishable' ? ['products:read'] : ['contacts:read'];
        const parent = await createCredential(gatehouse, tenant, kind, scopes as never);
        const answer = await way(parent);
        const isParent = ['secret', 'service', 'agent'].includes(kind);
        const refusal = way === exchange ? 'invalid_request' : 'unauthorized_client';
        const { error } = (await answer.json()) as { error?: string };
        expect({ kind, status: answer.status, error }).toEqual({
          kind,
          status: isParent ? 200 : 400,
          error: isParent ? undefined : refusal,
        });
      }
    });

    it('are refused for invalid parents (RFC 8693 §2.2.2, RFC 6749 §5.2)', async () => {
      const [status, error] = way === exchange ? [400, 'invalid_request'] : [401, 'invalid_client'];
      const revoked = await gatehouse.createKey(tenant, { scopes: ['api_keys:manage'] });
      await gatehouse.http.delete(`/api/v1/api-keys/${revoked.id}`).set(revoked.bearer).expect(204);
      const listed = await gatehouse.createKey(tenant, { allowedIps: ['192.0.2.0/24'] });
      const child = await tokenFor(key, {}, {}, way);
      for (const secret of [
        revoked.secret,
        listed.secret,
        child,
        files.credential,
        gatehouse.format.mint('live'),
        gatehouse.format.mint('op'),
        `${key.secret}x`,
        'nonsense',
        '',
      ]) {
        const answer = await way({ ...key, secret });
        await expectOAuthError(answer, status as number, error as string);
      }
      const from = { 'X-Forwarded-For': '192.0.2.7' };
      expect((await way(listed, {}, from)).status).toBe(200);
    });

    it('keep the addresses, bindings, spaces, environment and principal of the key', async () => {
      const listed = await gatehouse.createKey(tenant, {
        environment: 'test',
        allowedIps: ['192.0.2.0/24'],
      });
      const from = { 'X-Forwarded-For': '192.0.2.7' };
      const token = await tokenFor(listed, {}, from, way);
      expect((await call('/me', token, { 'X-Forwarded-For': '198.51.100.7' })).status).toBe(401);
      const me = await call('/me', token, from);
      expect(me.body.data).toMatchObject({ environment: 'test' });

      const bindings = [{ type: 'contacts', id: '1' }];
      const agent = await gatehouse.createKey(tenant, { kind: 'agent', bindings });
      const bound = await tokenFor(agent, {}, {}, way);
      expect((await call('/contacts', bound)).status).toBe(403);
      expect((await call('/contacts/1', bound)).status).toBe(404);
      expect((await call('/me', bound)).body.data.principal).toEqual(
        (await call('/me', agent.secret)).body.data.principal,
      );
    });

    it('count on the budget of the key', async () => {
      const limited = await gatehouse.createKey(tenant, { rateLimitPerMinute: 2 });
      const tokens = [
        await tokenFor(limited, {}, {}, way),
        await tokenFor(limited, {}, {}, way),
      ] as const;
      expect((await call('/me', tokens[0])).headers['ratelimit-key-remaining']).toBe('1');
      expect((await call('/me', tokens[1])).headers['ratelimit-key-remaining']).toBe('0');
      expect((await call('/me', limited.secret)).status).toBe(429);
    });

    it('end with the key on the next request, and expire no later', async () => {
      const manager = await gatehouse.createKey(tenant);
      const parent = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
      const token = await tokenFor(parent, {}, {}, way);
      expect((await call('/me', token)).status).toBe(200);
      await gatehouse.http
        .delete(`/api/v1/api-keys/${parent.id}`)
        .set(manager.bearer)
        .send({ confirm: 'A key' })
        .expect(204);
      expect((await call('/me', token)).status).toBe(401);

      const soon = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
      const short = await gatehouse.createKey(tenant, { expiresAt: soon(600) });
      const answer = (await (await way(short)).json()) as Exchanged & { expires_in: number };
      expect(answer.expires_in).toBeLessThanOrEqual(600);
      const cut = await gatehouse.createKey(tenant);
      const later = await tokenFor(cut, {}, {}, way);
      await gatehouse.database.query(
        `UPDATE credentials SET expires_at = gatehouse_now() - interval '1 second' WHERE id = $1`,
        [cut.id],
      );
      const expired = await call('/me', later);
      expect({ status: expired.status, code: expired.body.code }).toEqual({
        status: 401,
        code: 'token_expired',
      });
    });

    it('end with their tenant and their resource server', async () => {
      const home = await gatehouse.createTenant(`home-${Math.random()}`.replace('.', ''));
      const parent = await gatehouse.createKey(home);
      const token = await tokenFor(parent, {}, {}, way);
      await gatehouse.database.query('UPDATE tenants SET suspended_at = now() WHERE id = $1', [
        home.id,
      ]);
      expect((await call('/me', token)).body.code).toBe('tenant_suspended');
      await expectOAuthError(await way(parent), 503, 'temporarily_unavailable');

      const identifier = `https://gone.example/${_name.replace(' ', '-')}`;
      const gone = await addResourceServer(gatehouse, identifier);
      const away = await tokenFor(key, { resource: identifier }, {}, way);
      await resourcesCommand(gatehouse, 'remove', gone.id);
      const next = await addResourceServer(gatehouse, identifier);
      const seen = await post(gatehouse, 'introspect', { token: away }, next.bearer);
      expect(await seen.json()).toEqual({ active: false });
    });
  });

  it('are revoked alone by the key that they were issued for (RFC 7009 §2.1)', async () => {
    const other = await gatehouse.createKey(tenant);
    const [token, sibling] = [await tokenFor(key), await tokenFor(key)];
    const revoke = (by: TestKey, more: Fields = {}) =>
      post(gatehouse, 'revoke', { token, client_id: by.id, client_secret: by.secret, ...more });

    expect((await revoke(other)).status).toBe(200);
    await expectOAuthError(await revoke({ ...other, id: key.id }), 401, 'invalid_client');
    await expectOAuthError(await revoke({ ...key, secret: sibling }), 401, 'invalid_client');
    await expectOAuthError(await revoke({ ...key, secret: '' }), 401, 'invalid_client');
    expect((await call('/me', token)).status).toBe(200);

    const basic = Buffer.from(`${key.id}:${key.secret}`).toString('base64');
    const answer = await post(gatehouse, 'revoke', { token }, { Authorization: `Basic ${basic}` });
    expect([answer.status, await answer.text()]).toEqual([200, '{}']);
    expect((await call('/me', token)).status).toBe(401);
    expect((await revoke(key)).status).toBe(200);
    expect((await call('/me', sibling)).status).toBe(200);
    expect((await call('/me', key.secret)).status).toBe(200);
    const entries = await gatehouse.database.query(
      `SELECT FROM audit_log WHERE action = 'credential.revoke' AND actor = $1`,
      [key.id],
    );
    expect(entries).toHaveLength(1);
  });

  describe('token exchange (RFC 8693)', () => {
    it('needs a subject token and its type, and knows access tokens only (§2.1)', async () => {
      for (const fields of [
        { subject_token: '' },
        { subject_token_type: '' },
        { subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' },
        { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
        { actor_token: key.secret, actor_token_type: ACCESS_TOKEN },
        { actor_token_type: ACCESS_TOKEN },
      ]) {
        await expectOAuthError(await exchange(key, fields), 400, 'invalid_request');
      }
      expect((await exchange(key, { requested_token_type: ACCESS_TOKEN })).status).toBe(200);
    });

    it('takes audience like resource, and one target at most (§2.1)', async () => {
      const token = await tokenFor(key, { audience: files.identifier });
      expect((await call('/me', token)).status).toBe(401);
      const both = { audience: files.identifier, resource: gatehouse.config.ISSUER };
      await expectOAuthError(await exchange(key, both), 400, 'invalid_target');
    });

    it('refuses tokens of users, and the authentication of another client (§2.1, §5)', async () => {
      const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
      const confidential = { token_endpoint_auth_method: 'client_secret_post' };
      const client = await registerClient(gatehouse, confidential);
      const { access_token: secret } = await getTokens(gatehouse, { client, user });
      await expectOAuthError(await exchange({ ...key, secret }), 400, 'invalid_request');
      const wrong = { client_id: client.client_id, client_secret: 'x' };
      await expectOAuthError(await exchange(key, wrong), 401, 'invalid_client');
      expect((await exchange(key, authenticationOf(client))).status).toBe(200);
      const other = await gatehouse.createKey(tenant);
      const foreign = { client_id: other.id, client_secret: other.secret };
      await expectOAuthError(await exchange(key, foreign), 401, 'invalid_client');
    });
  });

  describe('client_credentials (RFC 6749 §4.4)', () => {
    it('takes the key by Basic too, and must be authenticated', async () => {
      const grant = { grant_type: 'client_credentials' };
      const basic = Buffer.from(`${key.id}:${key.secret}`).toString('base64');
      const answer = await post(gatehouse, 'token', grant, { Authorization: `Basic ${basic}` });
      expect(answer.status).toBe(200);
      const other = await gatehouse.createKey(tenant);
      await expectOAuthError(await asClient({ ...key, id: other.id }), 401, 'invalid_client');
      await expectOAuthError(await post(gatehouse, 'token', grant), 401, 'invalid_client');
    });

    it('is not for registered clients', async () => {
      const confidential = { token_endpoint_auth_method: 'client_secret_post' };
      const client = await registerClient(gatehouse, confidential);
      const fields = { grant_type: 'client_credentials', ...authenticationOf(client) };
      await expectOAuthError(await post(gatehouse, 'token', fields), 400, 'unauthorized_client');
    });
  });

  it('are named by the metadata (RFC 8414 §2)', async () => {
    const metadata = await gatehouse.http.get('/.well-known/oauth-authorization-server');
    expect(metadata.body.grant_types_supported).toEqual(
      expect.arrayContaining([EXCHANGE, 'client_credentials']),
    );
  });

  it('are limited by key', async () => {
    const busy = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
    const statuses = await Promise.all(Array.from({ length: 70 }, () => exchange(busy)));
    expect(statuses.filter(({ status }) => status === 429)).toHaveLength(10);
  });
});

import { beforeAll, describe, expect, it } from '@jest/globals';

import { createTenantStore } from '../../src/tenants/tenant-store.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestKey } from '../support/app/app.js';
import { createCredential } from '../support/app/credentials.js';
import {
  createUser,
  getTokens,
  post,
  registerClient,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { authenticationOf, expectOAuthError } from '../support/oauth/oauth-requests.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const INACTIVE = { active: false };

describe('POST /api/v1/oauth/introspect', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let tenant: Tenant;
  let user: TestUser;
  let client: TestClient;
  let other: TestClient;
  let open: TestClient;
  let service: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    user = await createUser(gatehouse, [[tenant, 'manager']]);
    const confidential = { token_endpoint_auth_method: 'client_secret_basic' };
    client = await registerClient(gatehouse, confidential);
    other = await registerClient(gatehouse, confidential);
    open = await registerClient(gatehouse);
    service = await createCredential(gatehouse, tenant, 'service', ['introspect']);
  });

  const ask = (fields: Record<string, string>, headers = {}) =>
    post(gatehouse, 'introspect', fields, headers);
  const see = async (token: string, of: TestClient = client) => {
    const answer = await ask({ token, ...authenticationOf(of) });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('Cache-Control')).toContain('no-store');
    return answer.json();
  };
  const serve = async (token: string) => {
    const answer = await ask({ token }, service.bearer);
    expect(answer.status).toBe(200);
    return answer.json();
  };
  const issue = (of = client) => getTokens(gatehouse, { client: of, user });

  describe('200', () => {
    it('describes an access token to the client that it was issued to', async () => {
      const { access_token: token } = await issue();
      const now = Date.now() / 1000;
      const seen = (await see(token)) as { exp: number; iat: number };
      expect(seen).toEqual({
        active: true,
        scope: 'contacts:read offline_access',
        client_id: client.client_id,
        sub: user.id,
        tenant_id: tenant.id,
        environment: 'live',
        principal: { kind: 'user', id: user.id },
        role: 'manager',
        token_type: 'Bearer',
        exp: expect.any(Number),
        iat: expect.any(Number),
        iss: gatehouse.config.ISSUER,
        aud: `${gatehouse.config.ISSUER}/api/v1`,
      });
      expect(Math.abs(seen.exp - now - 3600)).toBeLessThan(30);
      expect(Math.abs(seen.iat - now)).toBeLessThan(30);
    });

    it('describes a refresh token to its client, for any hint', async () => {
      const { refresh_token: token = '' } = await issue();
      for (const hint of ['refresh_token', 'access_token', 'x']) {
        const answer = await ask({ token, token_type_hint: hint, ...authenticationOf(client) });
        expect(await answer.json()).toMatchObject({
          active: true,
          scope: 'contacts:read offline_access',
          client_id: client.client_id,
          sub: user.id,
          tenant_id: tenant.id,
          exp: expect.any(Number),
          iat: expect.any(Number),
          iss: gatehouse.config.ISSUER,
        });
      }
    });

    it('describes tokens and keys to a service of the same tenant', async () => {
      const { access_token: token } = await issue(open);
      expect(await serve(token)).toMatchObject({ active: true, client_id: open.client_id });
      const fields = { scopes: ['contacts:read'], environment: 'test' };
      const key = await gatehouse.createKey(tenant, fields);
      expect(await serve(key.secret)).toEqual({
        active: true,
        scope: 'contacts:read',
        key_id: key.id,
        sub: tenant.id,
        tenant_id: tenant.id,
        environment: 'test',
        principal: { kind: 'tenant', id: tenant.id },
        token_type: 'Bearer',
        iat: expect.any(Number),
        iss: gatehouse.config.ISSUER,
      });
      expect(await serve(service.secret)).toMatchObject({ active: true, key_id: service.id });
    });

    it('answers inactive for credentials of another tenant', async () => {
      const stranger = await gatehouse.createTenant('stranger');
      const theirs = await gatehouse.createKey(stranger);
      expect(await serve(theirs.secret)).toEqual(INACTIVE);
      const them = await createUser(gatehouse, [[stranger, 'manager']]);
      const { access_token: token } = await getTokens(gatehouse, { client: open, user: them });
      expect(await serve(token)).toEqual(INACTIVE);
    });

    it("answers inactive to a client for other clients' tokens and for keys", async () => {
      const tokens = await issue();
      const key = await gatehouse.createKey(tenant);
      for (const token of [tokens.access_token, tokens.refresh_token ?? '', key.secret]) {
        expect(await see(token, other)).toEqual(INACTIVE);
      }
      expect(await see(key.secret)).toEqual(INACTIVE);
    });

    it('returns allowed_ips, or applies the allow-list to a given address', async () => {
      const allowedIps = ['203.0.113.0/24', '2001:db8::/32'];
      const key = await gatehouse.createKey(tenant, { allowedIps });
      const at = async (address: string, token = key.secret) =>
        (await ask({ token, address }, service.bearer)).json();

      expect(await serve(key.secret)).toMatchObject({ active: true, allowed_ips: allowedIps });
      for (const address of ['203.0.113.7', '::ffff:203.0.113.7', '2001:DB8:1::7']) {
        const seen = await at(address);
        expect(seen).toMatchObject({ active: true, key_id: key.id });
        expect(seen).not.toHaveProperty('allowed_ips');
      }
      for (const address of ['198.51.100.1', '::1', '2001:db9::1', '::cb00:7107']) {
        expect(await at(address)).toEqual(INACTIVE);
      }
      // Other credentials may be used from anywhere.
      const { access_token: token } = await issue();
      const free = await gatehouse.createKey(tenant);
      for (const other of [token, free.secret]) {
        expect(await at('198.51.100.1', other)).toMatchObject({ active: true });
        expect(await serve(other)).not.toHaveProperty('allowed_ips');
      }
      const byClient = await ask({ token, address: '198.51.100.1', ...authenticationOf(client) });
      expect(await byClient.json()).toMatchObject({ active: true });
    });

    it('omits members without a value', async () => {
      const empty = await createCredential(gatehouse, tenant, 'secret', []);
      expect(Object.keys((await serve(empty.secret)) as object).toSorted()).toEqual([
        'active',
        'environment',
        'iat',
        'iss',
        'key_id',
        'principal',
        'sub',
        'tenant_id',
        'token_type',
      ]);
      const { refresh_token: refreshToken = '' } = await issue();
      const seen = (await see(refreshToken)) as Record<string, unknown>;
      expect(Object.values(seen)).not.toContain(null);
      const [space] = await gatehouse.database.query<{ id: string }>(
        'SELECT id FROM spaces WHERE tenant_id = $1',
        [tenant.id],
      );
      const confined = await gatehouse.createKey(tenant, {
        spaces: [space?.id],
        expiresAt: '2100-01-01T00:00:00Z',
      });
      expect(await serve(confined.secret)).toMatchObject({
        spaces: [space?.id],
        exp: 4_102_444_800,
      });
    });

    it('answers only inactive for invalid credentials', async () => {
      const { format } = gatehouse;
      const garbage = ['garbage', '\0', 'bwp_at_', format.mint('at'), format.mint('rt')];
      for (const token of [...garbage, format.mint('ac'), format.mint('live')]) {
        expect(await see(token)).toEqual(INACTIVE);
        expect(await serve(token)).toEqual(INACTIVE);
      }
    });

    it('answers inactive for expired credentials', async () => {
      const tokens = await issue();
      await gatehouse.database.shiftClock('3601 seconds');
      expect(await see(tokens.access_token)).toEqual(INACTIVE);
      expect(await see(tokens.refresh_token ?? '')).toMatchObject({ active: true });
      await gatehouse.database.shiftClock('30 days 1 second');
      expect(await see(tokens.refresh_token ?? '')).toEqual(INACTIVE);
      await gatehouse.database.shiftClock('0 seconds');
    });

    it('answers inactive for revoked and used credentials', async () => {
      const tokens = await issue();
      const revoke = (token: string) =>
        post(gatehouse, 'revoke', { token, ...authenticationOf(client) });
      await revoke(tokens.access_token);
      expect(await see(tokens.access_token)).toEqual(INACTIVE);
      expect(await see(tokens.refresh_token ?? '')).toMatchObject({ active: true });
      await revoke(tokens.refresh_token ?? '');
      expect(await see(tokens.refresh_token ?? '')).toEqual(INACTIVE);
    });

    it('answers inactive while the tenant is suspended', async () => {
      const tokens = await issue();
      const tenants = createTenantStore(gatehouse.dataSource.manager);
      await tenants.setSuspended(tenant.id, true);
      const seen = [await see(tokens.access_token), await see(tokens.refresh_token ?? '')];
      await tenants.setSuspended(tenant.id, false);
      expect(seen).toEqual([INACTIVE, INACTIVE]);
      expect(await see(tokens.access_token)).toMatchObject({ active: true });
    });
  });

  describe('401', () => {
    it('answers public, unknown and unauthenticated clients', async () => {
      const { access_token: token } = await issue(open);
      for (const who of [
        authenticationOf(open),
        {},
        { client_id: 'cli_unknown' },
        { client_id: client.client_id },
        { client_id: client.client_id, client_secret: 'wrong' },
        { client_id: client.client_id, client_secret: other.client_secret ?? '' },
      ]) {
        await expectOAuthError(await ask({ token, ...who }), 401, 'invalid_client');
      }
    });

    it('answers an invalid credential', async () => {
      const headers = { Authorization: `Bearer ${gatehouse.format.mint('svc')}` };
      const answer = await ask({ token: 'x' }, headers);
      expect(answer.headers.get('WWW-Authenticate')).toContain('Bearer');
      await expectOAuthError(answer, 401, 'invalid_token');
    });
  });

  describe('403', () => {
    it('answers credentials without the scope, and other kinds', async () => {
      const without = await createCredential(gatehouse, tenant, 'service', ['contacts:read']);
      const agent = await createCredential(gatehouse, tenant, 'agent', ['introspect']);
      const { access_token: token } = await issue();
      const bearer = { Authorization: `Bearer ${token}` };
      for (const headers of [without.bearer, agent.bearer, bearer]) {
        await expectOAuthError(await ask({ token }, headers), 403, 'insufficient_scope');
      }
    });
  });

  it('answers a revoked, expired or suspended key from the next request on', async () => {
    const key = await gatehouse.createKey(tenant, {});
    expect(await serve(key.secret)).toMatchObject({ active: true });
    await post(gatehouse, 'revoke', { token: key.secret });
    expect(await serve(key.secret)).toEqual(INACTIVE);
    const expiring = await createCredential(gatehouse, tenant, 'secret', []);
    await gatehouse.database.query(
      'UPDATE credentials SET expires_at = gatehouse_now() WHERE id = $1',
      [expiring.id],
    );
    expect(await serve(expiring.secret)).toEqual(INACTIVE);
  });

  it('refuses a malformed request', async () => {
    const who = authenticationOf(client);
    await expectOAuthError(await ask(who), 400, 'invalid_request');
    const get = await fetch(`${gatehouse.origin}/api/v1/oauth/introspect?token=x`);
    expect(get.headers.get('Allow')).toContain('POST');
    await expectOAuthError(get, 405, 'invalid_request');
    const json = await fetch(`${gatehouse.origin}/api/v1/oauth/introspect`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ token: 'x', ...who }),
    });
    await expectOAuthError(json, 415, 'invalid_request');
  });

  it('answers 503 while the database is unavailable', async () => {
    const { access_token: token } = await issue();
    await gatehouse.database.lock();
    const answers = [
      await ask({ token, ...authenticationOf(client) }),
      await ask({ token }, service.bearer),
    ];
    await gatehouse.database.unlock();
    for (const answer of answers) {
      expect(answer.headers.get('Retry-After')).toMatch(/^\d+$/);
      await expectOAuthError(answer, 503, 'temporarily_unavailable');
    }
  });
});

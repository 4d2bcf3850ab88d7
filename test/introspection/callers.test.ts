import { beforeAll, describe, expect, it } from '@jest/globals';

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

function basicOf(id: string, secret: string) {
  return { Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` };
}

describe('the callers of POST /api/v1/oauth/introspect', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let tenant: Tenant;
  let user: TestUser;
  let client: TestClient;
  let service: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    user = await createUser(gatehouse, [[tenant, 'manager']]);
    const confidential = { token_endpoint_auth_method: 'client_secret_basic' };
    client = await registerClient(gatehouse, confidential);
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

  describe('as a client, with the id of a key', () => {
    it('accepts a service credential as by Bearer, by Basic and in the form, and a client by its secret', async () => {
      const key = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
      const { access_token: token } = await issue();
      for (const asked of [key.secret, token, 'garbage']) {
        const answer = await ask({ token: asked }, basicOf(service.id, service.secret));
        expect(answer.status).toBe(200);
        expect(await answer.json()).toEqual(await serve(asked));
      }
      const id = { client_id: service.id };
      const named = await ask({ token: key.secret, ...id }, basicOf(service.id, service.secret));
      expect(await named.json()).toMatchObject({ active: true });
      const secret = { ...id, client_secret: service.secret };
      const posted = await ask({ token: key.secret, ...secret });
      expect(await posted.json()).toMatchObject({ active: true });
      const asClient = basicOf(client.client_id, client.client_secret ?? '');
      expect(await (await ask({ token }, asClient)).json()).toEqual(await see(token));
    });

    it('refuses an invalid key, or one with another id, as an unknown client', async () => {
      const another = await createCredential(gatehouse, tenant, 'service', ['introspect']);
      for (const headers of [
        basicOf(service.id, another.secret),
        basicOf(another.id, service.secret),
        basicOf('key_01M7XDXM196WXM1ABP0DNE71TS', service.secret),
        basicOf(service.id, ''),
        basicOf(service.id, 'garbage'),
        basicOf(service.id, gatehouse.format.mint('svc')),
        basicOf(service.secret, service.secret),
        basicOf(client.client_id, service.secret),
        basicOf(service.id, client.client_secret ?? ''),
        { Authorization: `Basic ${service.secret}` },
      ]) {
        const answer = await ask({ token: service.secret }, headers);
        expect(answer.headers.get('WWW-Authenticate')).toMatch(/^Basic realm=/);
        await expectOAuthError(answer, 401, 'invalid_client');
      }
      for (const secret of [another.secret, '', 'garbage']) {
        const posted = { client_id: service.id, client_secret: secret };
        const answer = await ask({ token: service.secret, ...posted });
        await expectOAuthError(answer, 401, 'invalid_client');
      }
    });

    it('refuses other kinds, and keys without the scope', async () => {
      const without = await createCredential(gatehouse, tenant, 'service', ['contacts:read']);
      const agent = await createCredential(gatehouse, tenant, 'agent', ['introspect']);
      for (const { id, secret } of [without, agent]) {
        const answer = await ask({ token: 'x' }, basicOf(id, secret));
        await expectOAuthError(answer, 403, 'insufficient_scope');
      }
    });

    it('refuses two authentication methods at once', async () => {
      const token = service.secret;
      const secret = { client_id: client.client_id, client_secret: client.client_secret ?? '' };
      const header = basicOf(service.id, service.secret);
      for (const [fields, headers] of [
        [secret, header],
        [{ client_id: client.client_id }, header],
        [secret, service.bearer],
        [{}, { ...header, 'X-API-Key': service.secret }],
      ] as [Record<string, string>, Record<string, string>][]) {
        await expectOAuthError(await ask({ token, ...fields }, headers), 400, 'invalid_request');
      }
    });
  });

  it("applies the allow-list and expiry of the caller's own key", async () => {
    const make = async (fields: object) => {
      const common = { kind: 'service', scopes: ['introspect'] };
      const { id, secret, bearer } = await gatehouse.createKey(tenant, { ...common, ...fields });
      return { id, secret, headers: { bearer, basic: basicOf(id, secret) } };
    };
    const inside = await make({ allowedIps: ['198.51.100.0/24'] });
    for (const headers of Object.values(inside.headers)) {
      const from = (address: string) =>
        ask({ token: inside.secret }, { ...headers, 'X-Forwarded-For': address });
      expect(await (await from('198.51.100.9')).json()).toMatchObject({ active: true });
      expect((await from('203.0.113.9')).status).toBe(401);
    }
    const revoked = await make({});
    await post(gatehouse, 'revoke', { token: revoked.secret });
    for (const headers of Object.values(revoked.headers)) {
      expect((await ask({ token: service.secret }, headers)).status).toBe(401);
    }
  });

  it('refuses an invalid address', async () => {
    for (const address of [
      '',
      ' ',
      'x',
      '203.0.113.7:443',
      '[2001:db8::1]',
      '203.0.113.0/24',
      '203.0.113',
      '0x7f.1',
      '203.0.113.07',
      'fe80::1%eth0',
      '1.2.3.4, 5.6.7.8',
      '::1.2.3.4',
    ]) {
      for (const [fields, headers] of [
        [{}, service.bearer],
        [authenticationOf(client), {}],
      ] as const) {
        const answer = await ask({ token: service.secret, address, ...fields }, headers);
        await expectOAuthError(answer, 400, 'invalid_request');
      }
    }
  });

  it('refuses repeated parameters', async () => {
    for (const name of ['token', 'token_type_hint', 'address', 'client_id', 'x']) {
      const twice = `token=x&address=::1&${name}=a&${name}=a`;
      const answer = await fetch(`${gatehouse.origin}/api/v1/oauth/introspect`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...service.bearer },
        body: twice,
      });
      await expectOAuthError(answer, 400, 'invalid_request');
    }
  });

  it('has no CORS headers, and answers 413 to more than 64 KiB', async () => {
    const origin = { Origin: 'https://app.example.com' };
    const answers = [
      await ask({ token: 'x' }, { ...service.bearer, ...origin }),
      await fetch(`${gatehouse.origin}/api/v1/oauth/introspect`, {
        method: 'OPTIONS',
        headers: { ...origin, 'Access-Control-Request-Method': 'POST' },
      }),
    ];
    for (const { headers } of answers) {
      expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
    const large = await ask({ token: 'x'.repeat(64 * 1024) }, service.bearer);
    await expectOAuthError(large, 413, 'invalid_request');
  });
});

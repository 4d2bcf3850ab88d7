import { beforeAll, describe, expect, it } from '@jest/globals';

import { KEY_KINDS } from '../../src/credentials/kinds.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestKey } from '../support/app/app.js';
import { createTestApp } from '../support/app/app.js';
import { createCredential } from '../support/app/credentials.js';
import { expectProblem } from '../support/app/problems.js';
import { confine, createSpace, defaultSpaceOf } from '../support/app/spaces.js';
import { createUser, getTokens, registerClient, type TestUser } from '../support/oauth/oauth.js';
import { addResourceServer } from '../support/oauth/resource-servers.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

type Headers = Readonly<Record<string, string>>;

describe('/api/v1/forward-auth/*', () => {
  const gatehouse = useGatehouse({
    TRUST_PROXY: '127.0.0.1',
    CORS_ALLOWED_ORIGINS: 'https://app.example.com',
  });
  let tenant: Tenant;
  let user: TestUser;
  let key: TestKey;
  let token: string;
  let clientId: string;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    user = await createUser(gatehouse, [[tenant, 'manager']]);
    key = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
    const client = await registerClient(gatehouse);
    clientId = client.client_id;
    token = (await getTokens(gatehouse, { client, user })).access_token;
  });

  const ask = (query = '', headers: Headers = key.bearer, path = '') =>
    gatehouse.http.get(`/api/v1/forward-auth/${path}${query}`).set(headers);
  const bearer = (secret: string) => ({ Authorization: `Bearer ${secret}` });

  describe('200', () => {
    it('describes the principal in headers, without a body, and leaves none of them out', async () => {
      const answer = await ask('?scope=contacts:read', key.bearer, 'any/path');
      expect({ status: answer.status, text: answer.text }).toEqual({ status: 200, text: '' });
      expect(answer.headers).toMatchObject({
        'x-auth-tenant': tenant.id,
        'x-auth-principal': tenant.id,
        'x-auth-principal-kind': 'tenant',
        'x-auth-credential': key.id,
        'x-auth-client': '',
        'x-auth-user': '',
        'x-auth-role': '',
        'x-auth-scopes': 'contacts:read',
        'x-auth-spaces': '*',
        'x-auth-environment': 'live',
        'cache-control': expect.stringContaining('no-store'),
      });
      expect((await ask('', bearer(token))).headers).toMatchObject({
        'x-auth-principal-kind': 'user',
        'x-auth-client': clientId,
        'x-auth-user': user.id,
        'x-auth-role': 'manager',
        'x-auth-scopes': 'contacts:read offline_access',
      });
    });

    it('answers every method and path below it, also for a browser', async () => {
      for (const method of ['get', 'head', 'post', 'put', 'patch', 'delete', 'options'] as const) {
        const headers = { ...key.bearer, Accept: 'text/html' };
        const answer = await gatehouse.http[method]('/api/v1/forward-auth/a/b').set(headers);
        expect({ method, status: answer.status }).toEqual({ method, status: 200 });
        const refused = await gatehouse.http[method]('/api/v1/forward-auth/').set({
          Accept: 'text/html',
        });
        expect({ method, status: refused.status }).toEqual({ method, status: 401 });
        expect(refused.headers['content-type']).toBe('application/problem+json');
      }
    });

    it('permits no preflight, and is not readable by another origin', async () => {
      const headers = {
        Origin: 'https://app.example.com',
        'Access-Control-Request-Method': 'POST',
      };
      const answer = await gatehouse.http.options('/api/v1/forward-auth/x').set(headers);
      expect(answer.status).toBe(401);
      const allowed = await ask('', { ...key.bearer, Origin: 'https://app.example.com' });
      const names = Object.keys({ ...answer.headers, ...allowed.headers });
      expect(names.filter((name) => name.startsWith('access-control'))).toEqual([]);
    });
  });

  describe('the same answer as the API', () => {
    const presentations: readonly ((secret: string) => Headers)[] = [
      (secret) => ({ Authorization: `Bearer ${secret}` }),
      (secret) => ({ Authorization: `DPoP ${secret}` }),
      (secret) => ({ Authorization: `Token ${secret}` }),
      (secret) => ({ 'X-API-Key': secret }),
      (secret) => ({ 'X-Bwp-Api-Token': secret }),
      (secret) => ({ Authorization: `Bearer ${secret}`, 'X-API-Key': secret }),
      (secret) => ({ Authorization: secret }),
      () => ({}),
    ];
    const principals = 'principals=tenant,user,service,agent';
    const routes = [
      { path: '/me', query: '' },
      { path: '/contacts', query: `?scope=contacts:read&${principals}` },
      { path: '/usage', query: `?scope=audit:read&${principals}` },
    ];

    it('is given for every kind, presentation and route', async () => {
      const secrets = [token, gatehouse.format.mint('at'), gatehouse.format.mint('rs'), 'nonsense'];
      for (const kind of KEY_KINDS) {
        const scopes = kind === 'publishable' ? ['products:read'] : ['contacts:read'];
        const made = await createCredential(gatehouse, tenant, kind, scopes as never);
        secrets.push(made.secret, made.secret.slice(0, -1));
      }
      const statuses = new Set<number>();
      for (const secret of secrets) {
        for (const present of presentations) {
          for (const { path, query } of routes) {
            const headers = present(secret);
            const api = await gatehouse.http.get(`/api/v1${path}`).set(headers);
            const forward = await ask(query, headers);
            const shown = { headers, path };
            expect({ ...shown, ...outcomeOf(forward) }).toEqual({ ...shown, ...outcomeOf(api) });
            statuses.add(forward.status);
          }
        }
      }
      expect([...statuses].toSorted()).toEqual([200, 400, 401, 403]);
    });

    function outcomeOf({ status, headers, body }: Awaited<ReturnType<typeof ask>>) {
      const { code, detail, required_scopes: scopes } = body as Record<string, unknown>;
      const refusal = status === 200 ? {} : { code, detail, scopes };
      return { status, challenge: headers['www-authenticate'], ...refusal };
    }
  });

  describe('rules in the query', () => {
    it('can demand scopes, kinds of principal and a space', async () => {
      const yard = await createSpace(gatehouse, tenant, 'Yard');
      const confined = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
      await confine(gatehouse, confined, [yard]);
      const first = await defaultSpaceOf(gatehouse, tenant);
      expectProblem(await ask('?scope=contacts:read+leads:read'), 403, 'scope_insufficient');
      expectProblem(await ask('?principals=user'), 403, 'forbidden');
      expect((await ask('?principals=user+tenant')).status).toBe(200);
      expect((await ask(`?space=${yard}`, confined.bearer)).status).toBe(200);
      const refused = await ask(`?space=${first}`, confined.bearer);
      expectProblem(refused, 403, 'forbidden');
      expect(refused.headers['www-authenticate']).toContain('error="insufficient_scope"');
      const named = { ...confined.bearer, 'X-Bwp-Space': first };
      expectProblem(await ask('', named), 403, 'forbidden');
      expectProblem(await ask(`?space=${yard}`, named), 403, 'forbidden');
    });

    it('cannot say which resource a request is for, so bound agents are refused', async () => {
      const bindings = [{ type: 'contacts', id: '1' }];
      const agent = await gatehouse.createKey(tenant, { kind: 'agent', bindings });
      const refused = await ask('?scope=contacts:read', agent.bearer);
      expectProblem(refused, 403, 'forbidden');
      expect(refused.headers['www-authenticate']).toContain('error="insufficient_scope"');
      const unbound = await gatehouse.createKey(tenant, { kind: 'agent' });
      expect((await ask('?scope=contacts:read', unbound.bearer)).status).toBe(200);
    });

    it('can name a resource server as the audience', async () => {
      const options = ['--scopes', 'contacts:read', '--accepts-keys', 'false'];
      const server = await addResourceServer(
        gatehouse,
        'https://files.example.com/a,b',
        ...options,
      );
      const client = await registerClient(gatehouse);
      const parameters = { resource: server.identifier };
      const own = (await getTokens(gatehouse, { client, user, parameters })).access_token;
      const query = `?resource=${encodeURIComponent(`${server.identifier}/`)}`;
      expect((await ask(query, bearer(own))).status).toBe(200);
      expectProblem(await ask(query, bearer(token)), 401, 'unauthorized');
      expectProblem(await ask(query), 401, 'unauthorized');
      expectProblem(await ask('', bearer(own)), 401, 'unauthorized');
      const api = encodeURIComponent(`${gatehouse.config.ISSUER}/`);
      expect((await ask(`?resource=${api}`, bearer(token))).status).toBe(200);
      expectProblem(await ask('?resource=https://gone.example'), 422, 'validation_failed');
    });

    it('are refused if they are unknown, so that a client cannot add one', async () => {
      for (const query of [
        '?scope=contacts:read&scope=leads:read',
        '?x=1',
        '?scope=nothing:read',
        '?scope=',
        '?principals=',
        '?principals=admin',
        '?limit_status=200',
        '?auth_token=x',
      ]) {
        const { status } = await ask(query);
        expect({ query, status }).toEqual({ query, status: 422 });
      }
    });
  });

  describe('trusted proxies', () => {
    it('say method, address and query of the request', async () => {
      const open = await createCredential(gatehouse, tenant, 'publishable', ['products:read']);
      const uri = `/x?auth_token=${open.secret}`;
      expect((await ask('', { 'X-Forwarded-Uri': uri })).status).toBe(200);
      const post = { 'X-Forwarded-Uri': uri, 'X-Forwarded-Method': 'POST' };
      expectProblem(await ask('', post), 401, 'unauthorized');
      const secret = { 'X-Forwarded-Uri': `/x?auth_token=${key.secret}` };
      const exposed = await ask('', secret);
      expectProblem(exposed, 401, 'unauthorized');
      const listed = await gatehouse.createKey(tenant, { allowedIps: ['192.0.2.0/24'] });
      const from = (address: string) => ({ ...listed.bearer, 'X-Forwarded-For': address });
      expect((await ask('', from('192.0.2.7'))).status).toBe(200);
      expectProblem(await ask('', from('198.51.100.7')), 401, 'unauthorized');
    });

    it('are the only ones that are believed', async () => {
      const alone = await createTestApp();
      const home = await alone.createTenant('acme');
      const open = await createCredential(alone, home, 'publishable', ['products:read']);
      const listed = await alone.createKey(home, { allowedIps: ['192.0.2.0/24'] });
      const send = (headers: Headers) => alone.http.get('/api/v1/forward-auth/').set(headers);
      const forged = { ...listed.bearer, 'X-Forwarded-For': '192.0.2.7' };
      expectProblem(await send(forged), 401, 'unauthorized');
      const uri = { 'X-Forwarded-Uri': `/x?auth_token=${open.secret}` };
      expectProblem(await send(uri), 401, 'unauthorized');
      await alone.close();
    });
  });

  it('counts on the budgets by the method, and answers 403 instead of 429 if asked to', async () => {
    const limited = await gatehouse.createKey(tenant, { rateLimitPerMinute: 1 });
    const first = await ask('', limited.bearer);
    expect(first.headers['ratelimit-key-remaining']).toBe('0');
    const spent = await ask('', limited.bearer);
    expectProblem(spent, 429, 'rate_limited');
    expect(spent.headers).not.toHaveProperty('www-authenticate');
    const shown = await ask('?limit_status=403&scope=contacts:read', limited.bearer);
    expectProblem(shown, 403, 'rate_limited');
    expect(shown.headers['retry-after']).toMatch(/^\d+$/);
    const challenge = shown.headers['www-authenticate'];
    expect(challenge).toMatch(
      /^Bearer realm="api", error="insufficient_scope", scope="contacts:read", resource_metadata="/,
    );
  });

  it('answers 503 if the database cannot be asked', async () => {
    const lost = await createTestApp();
    const server = await addResourceServer(lost, 'https://a.example');
    const { bearer: known } = await lost.createKey(await lost.createTenant('acme'));
    const send = (query: string) => lost.http.get(`/api/v1/forward-auth/${query}`).set(known);
    expect((await send(`?resource=${server.identifier}`)).status).toBe(200);
    await lost.verifierPool.end();
    for (const query of ['', `?resource=${server.identifier}`]) {
      const answer = await send(query);
      expectProblem(answer, 503, 'service_unavailable');
      expect(answer.headers['retry-after']).toMatch(/^\d+$/);
    }
    lost.verifierPool.end = async () => undefined;
    await lost.close();
  });
});

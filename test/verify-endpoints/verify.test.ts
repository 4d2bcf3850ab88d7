import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestKey } from '../support/app/app.js';
import { createTestAppBehindProxy } from '../support/app/clients.js';
import { createCli } from '../support/app/cli.js';
import { createCredential } from '../support/app/credentials.js';
import { DEFAULT_LIMITS } from '../support/app/limits.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { confine, createSpace, defaultSpaceOf } from '../support/app/spaces.js';
import { recordStatements } from '../support/database/plans.js';
import {
  createUser,
  getTokens,
  registerClient,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import {
  addResourceServer,
  resourcesCommand,
  type TestResourceServer,
} from '../support/oauth/resource-servers.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

interface Verdict {
  readonly active: boolean;
  readonly status?: number;
  readonly code?: string;
  readonly detail?: string;
  readonly [member: string]: unknown;
}

type Item = string | Readonly<Record<string, unknown>>;
type Bearer = Readonly<Record<string, string>>;

const UNKNOWN = {
  active: false,
  status: 401,
  code: 'unauthorized',
  detail: 'The credential is not valid.',
};

describe('POST /api/v1/verify', () => {
  const gatehouse = useGatehouse({
    TRUST_PROXY: '127.0.0.1',
    RATE_LIMIT_KEY_PER_MINUTE: DEFAULT_LIMITS['RATE_LIMIT_KEY_PER_MINUTE'] ?? '',
  });
  let tenant: Tenant;
  let other: Tenant;
  let user: TestUser;
  let client: TestClient;
  let files: TestResourceServer;
  let service: TestKey;
  let key: TestKey;
  let foreign: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    other = await gatehouse.createTenant('other');
    user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    client = await registerClient(gatehouse);
    files = await addResourceServer(
      gatehouse,
      'https://files.example.com',
      '--scopes',
      'leads:read',
    );
    service = await createCredential(gatehouse, tenant, 'service', ['introspect']);
    key = await gatehouse.createKey(tenant, { scopes: ['contacts:read', 'leads:read'] });
    foreign = await gatehouse.createKey(other);
  });

  const send = (body: object, bearer: Bearer = service.bearer) =>
    gatehouse.http.post('/api/v1/verify').set(bearer).send(body);
  const verify = async (items: readonly Item[], bearer?: Bearer): Promise<readonly Verdict[]> => {
    const credentials = items.map((item) =>
      typeof item === 'string' ? { credential: item } : item,
    );
    const answer = await send({ credentials }, bearer);
    expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 200 });
    expect(answer.headers['cache-control']).toContain('no-store');
    return (answer.body as { data: { verdicts: readonly Verdict[] } }).data.verdicts;
  };
  const verdictOf = async (item: Item, bearer?: Bearer) => (await verify([item], bearer))[0];
  const tokenFor = async (resource: string, scope = 'leads:read contacts:read') =>
    (await getTokens(gatehouse, { client, user, parameters: { scope, resource } })).access_token;

  describe('200', () => {
    it('answers in the order of the credentials, each with the members of /me', async () => {
      const token = await tokenFor('');
      const [ofToken, ofForeign, ofKey, nonsense] = await verify([
        token,
        foreign.secret,
        key.secret,
        'nonsense',
      ]);
      const me = async (secret: string) => {
        const headers = { Authorization: `Bearer ${secret}` };
        return (await gatehouse.http.get('/api/v1/me').set(headers)).body.data as object;
      };
      expect(ofToken).toMatchObject({
        ...(await me(token)),
        active: true,
        principal: { kind: 'user', id: user.id },
        subjects: expect.arrayContaining([user.id, tenant.id, client.client_id]),
      });
      expect(ofKey).toMatchObject({
        ...(await me(key.secret)),
        active: true,
        spaces: null,
        bindings: null,
        expiresAt: null,
        subjects: [key.id, tenant.id],
        position: expect.stringMatching(/^\d+$/),
        limits: { tenant: { limit: null }, apiKey: { limit: 60 } },
      });
      expect(ofForeign).toEqual(UNKNOWN);
      expect(nonsense).toMatchObject({ active: false, status: 401, code: 'unauthorized' });
    });

    it('writes every text as it is stored, whatever JSON escapes in it', async () => {
      const name = 'Ä "quoted" \\ </script> 😀';
      const metadata = { '"': '\\"\u2028', nested: { list: [1, null, 'é"'] } };
      const odd = await gatehouse.createKey(tenant, { name });
      await gatehouse.dataSource.query(
        'UPDATE credentials SET external_id = $2, metadata = $3 WHERE id = $1',
        [odd.id, 'crm"\\4711', metadata],
      );
      const [verdict] = await verify([odd.secret, key.secret]);
      expect(verdict).toMatchObject({
        keyName: name,
        externalIds: { tenant: null, account: null, key: 'crm"\\4711' },
        metadata: { tenant: {}, account: null, key: metadata },
      });
      const me = await gatehouse.http.get('/api/v1/me').set(odd.bearer);
      expect(me.body.data).toMatchObject({ keyId: odd.id, keyName: name });
    });

    it('gives a resource server its own tokens and keys of all tenants, with its scopes', async () => {
      const [own, api, ofTenant, ofOther] = await verify(
        [await tokenFor(files.identifier), await tokenFor(''), key.secret, foreign.secret],
        files.bearer,
      );
      expect(own).toMatchObject({ active: true, tenantId: tenant.id, scopes: ['leads:read'] });
      expect(api).toEqual(UNKNOWN);
      expect(ofTenant).toMatchObject({ active: true, tenantId: tenant.id, scopes: ['leads:read'] });
      expect(ofOther).toMatchObject({ active: true, tenantId: other.id, scopes: ['leads:read'] });
    });

    it('refuses tokens for another audience to a service, as the API does', async () => {
      const token = await tokenFor(files.identifier);
      const answer = await gatehouse.http.get('/api/v1/me').set('Authorization', `Bearer ${token}`);
      const { status, code, detail } = answer.body as Verdict;
      expect(await verdictOf(token)).toEqual({ active: false, status, code, detail });
    });

    it('does not tell another tenant’s credentials from unknown ones, whatever their state', async () => {
      const revoked = await gatehouse.createKey(other);
      await gatehouse.http.delete(`/api/v1/api-keys/${revoked.id}`).set(foreign.bearer).expect(204);
      const bound = await gatehouse.createKey(other, { allowedIps: ['192.0.2.1'] });
      const items: Item[] = [foreign, revoked, bound].map(({ secret }) => secret);
      items.push({ credential: foreign.secret, scopes: ['audit:read'], address: '192.0.2.9' });
      items.push({ credential: bound.secret, address: '192.0.2.9' });
      items.push(gatehouse.format.mint('live'));
      for (const verdict of await verify(items)) expect(verdict).toEqual(UNKNOWN);
      const inUrl = [foreign.secret, gatehouse.format.mint('live')];
      const [known, unknown] = await verify(
        inUrl.map((credential) => ({ credential, presentation: 'query' })),
      );
      expect(known).toEqual(unknown);
      await gatehouse.app.activity.flush();
      const noted = await gatehouse.database.query(
        `SELECT FROM audit_log WHERE tenant_id = $1 AND action = 'credential.refused'`,
        [other.id],
      );
      expect(noted).toEqual([]);
    });

    it('judges presentation, method, address, scopes, bindings and space', async () => {
      const confined = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
      const yard = await createSpace(gatehouse, tenant, 'Yard');
      await confine(gatehouse, confined, [yard]);
      const listed = await gatehouse.createKey(tenant, { allowedIps: ['192.0.2.0/24'] });
      const bindings = [{ type: 'contacts', id: '1' }];
      const agent = await gatehouse.createKey(tenant, { kind: 'agent', bindings });
      const open = await createCredential(gatehouse, tenant, 'publishable', ['products:read']);
      const credential = key.secret;
      const cases: readonly (readonly [Item, number, string?])[] = [
        [{ credential, scopes: ['contacts:read'] }, 200],
        [{ credential, scopes: ['contacts:read', 'audit:read'] }, 403, 'scope_insufficient'],
        [{ credential, presentation: 'query' }, 401, 'unauthorized'],
        [{ credential, presentation: 'dpop' }, 401, 'unauthorized'],
        [{ credential, presentation: 'x-api-key', method: 'DELETE' }, 200],
        [{ credential: open.secret, presentation: 'query' }, 200],
        [{ credential: open.secret, presentation: 'query', method: 'POST' }, 401, 'unauthorized'],
        [{ credential: listed.secret, address: '192.0.2.7' }, 200],
        [{ credential: listed.secret, address: '198.51.100.7' }, 401, 'unauthorized'],
        [{ credential: listed.secret }, 200],
        [{ credential: agent.secret, resource: { type: 'contacts', id: '1' } }, 200],
        [{ credential: agent.secret, resource: { type: 'contacts', id: '2' } }, 403, 'forbidden'],
        [{ credential: agent.secret, resource: { type: 'leads', id: '1' } }, 403, 'forbidden'],
        [{ credential: agent.secret }, 200],
        [{ credential: confined.secret, space: yard }, 200],
        [
          { credential: confined.secret, space: await defaultSpaceOf(gatehouse, tenant) },
          ...([403, 'forbidden'] as const),
        ],
        [{ credential, space: await defaultSpaceOf(gatehouse, other) }, 403, 'forbidden'],
        [{ credential, space: 'yard' }, 403, 'forbidden'],
      ];
      const verdicts = await verify(cases.map(([item]) => item));
      verdicts.forEach(({ active, status, code }, index) => {
        const [item, expected, expectedCode] = cases[index] ?? [];
        expect({ item, status: active ? 200 : status, code }).toEqual({
          item,
          status: expected,
          code: expectedCode,
        });
      });
      expect(verdicts[9]).toMatchObject({ allowedIps: ['192.0.2.0/24'] });
      expect(verdicts[7]).not.toHaveProperty('allowedIps');
    });

    it('tells expired and suspended credentials, and sees a revocation with the next request', async () => {
      const tokens = await getTokens(gatehouse, { client, user });
      const short = await gatehouse.createKey(tenant, {
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      });
      await gatehouse.database.shiftClock('2 hours');
      expect(await verify([tokens.access_token, short.secret])).toMatchObject([
        { status: 401, code: 'token_expired' },
        { status: 401, code: 'token_expired' },
      ]);
      await gatehouse.database.shiftClock('0 hours');
      await gatehouse.database.query('UPDATE tenants SET suspended_at = now() WHERE id = $1', [
        other.id,
      ]);
      expect(await verdictOf(foreign.secret, files.bearer)).toMatchObject({
        status: 403,
        code: 'tenant_suspended',
      });
      await gatehouse.database.query('UPDATE tenants SET suspended_at = NULL');
      expect(await verdictOf(short.secret)).toMatchObject({ active: true });
      await gatehouse.http
        .delete(`/api/v1/api-keys/${short.id}`)
        .set((await gatehouse.createKey(tenant)).bearer)
        .send({ confirm: 'A key' })
        .expect(204);
      expect(await verdictOf(short.secret)).toEqual(UNKNOWN);
    });

    it('counts the cost on the budgets of the credential, and not on those of the service', async () => {
      const limited = await gatehouse.createKey(tenant, { rateLimitPerMinute: 3 });
      const item = { credential: limited.secret };
      for (const left of [2, 1, 0]) {
        expect(await verdictOf(item)).toMatchObject({ limits: { apiKey: { remaining: left } } });
      }
      const free = { ...item, cost: 0 };
      expect(await verdictOf(free)).toMatchObject({ active: true });
      expect(await verdictOf(item)).toMatchObject({
        active: false,
        status: 429,
        code: 'rate_limited',
        retryAfterSeconds: expect.any(Number),
      });
      expect((await gatehouse.http.get('/api/v1/me').set(limited.bearer)).status).toBe(429);
      const usage = await gatehouse.http.get('/api/v1/me').set(service.bearer);
      expect(usage.headers['ratelimit-key-remaining']).toBe('59');
    });

    it('judges a token with the publishable key beside it, and kinds of principal', async () => {
      const credential = await tokenFor('');
      const publishable = (of: Tenant) =>
        createCredential(gatehouse, of, 'publishable', ['products:read'], 'test');
      const [open, beside] = await Promise.all([publishable(tenant), publishable(other)]);
      const pair = { credential, publishableKey: open.secret };
      const apart = 'Present one credential, in one way.';
      const verdicts = await verify([
        pair,
        { credential, publishableKey: beside.secret },
        { credential, publishableKey: key.secret },
        { credential: key.secret, publishableKey: open.secret },
        { ...pair, principals: ['service'], scopes: ['audit:read'] },
        { credential, principals: ['user'] },
      ]);
      expect(verdicts).toMatchObject([
        { active: true, environment: 'test', type: 'access_token' },
        // Its tenant is another one, so it looks unknown to the service.
        UNKNOWN,
        { active: false, status: 400, code: 'bad_request', detail: apart },
        { active: false, status: 400, code: 'bad_request', detail: apart },
        { active: false, status: 403, code: 'forbidden' },
        { active: true, environment: 'live' },
      ]);
      expect(verdicts[0]?.['subjects']).toEqual(expect.arrayContaining([open.id, user.id]));
    });

    it('counts several requests of a service that keeps verdicts', async () => {
      const limited = await gatehouse.createKey(tenant, { rateLimitPerMinute: 10 });
      const item = { credential: limited.secret, cost: 40, requests: 8 };
      expect(await verdictOf(item)).toMatchObject({ limits: { apiKey: { remaining: 2 } } });
      expect(await verdictOf(item)).toMatchObject({ limits: { apiKey: { remaining: 0 } } });
      expect(await verdictOf(item)).toMatchObject({
        status: 429,
        limits: { apiKey: { limit: 10, remaining: 0 } },
      });
    });

    it('asks one batch for all credentials of a request', async () => {
      const credentials = Array.from({ length: 256 }, () => ({
        credential: gatehouse.format.mint('live'),
      }));
      const statements = await recordStatements('verify-', async () => {
        const answer = await send({ credentials }, files.bearer);
        expect(answer.body.data.verdicts).toHaveLength(256);
      });
      // One for the caller, and one for each connection of the pool.
      expect(statements.length).toBeLessThanOrEqual(1 + 4);
    });
  });

  describe('401, 403', () => {
    it('admits resource servers, and services with the scope introspect', async () => {
      const body = { credentials: [{ credential: key.secret }] };
      const plain = await createCredential(gatehouse, tenant, 'service', ['contacts:read']);
      const agent = await createCredential(gatehouse, tenant, 'agent', ['introspect']);
      const secret = await gatehouse.createKey(tenant);
      expectProblem(await send(body, plain.bearer), 403, 'scope_insufficient');
      expectProblem(await send(body, agent.bearer), 403, 'forbidden');
      expectProblem(await send(body, secret.bearer), 403, 'forbidden');
      expectProblem(await send(body, {}), 401, 'unauthorized');
      const unknown = { Authorization: `Bearer ${gatehouse.format.mint('rs')}` };
      const refused = await send(body, unknown);
      expectProblem(refused, 401, 'unauthorized');
      expect(refused.headers['www-authenticate']).toContain('scope="introspect"');
      expectProblem(await send(body, { 'X-API-Key': files.credential }), 401, 'unauthorized');
    });
  });

  describe('422', () => {
    it('names invalid members', async () => {
      const credential = key.secret;
      for (const [body, fields] of [
        [{}, ['credentials']],
        [{ credentials: [] }, ['credentials']],
        [{ credentials: Array.from({ length: 257 }, () => ({ credential })) }, ['credentials']],
        [{ credentials: [{}] }, ['credentials.0.credential']],
        [{ credentials: [{ credential, scopes: ['x'] }] }, ['credentials.0.scopes.0']],
        [{ credentials: [{ credential, address: '' }] }, ['credentials.0.address']],
        [{ credentials: [{ credential, address: '192.0.2.1:80' }] }, ['credentials.0.address']],
        [{ credentials: [{ credential, cost: -1 }] }, ['credentials.0.cost']],
        [{ credentials: [{ credential, cost: 1e6 }] }, ['credentials.0.cost']],
        [{ credentials: [{ credential, tenant: 'x' }] }, ['credentials.0.tenant']],
        [{ credentials: [{ credential: 'x'.repeat(5000) }] }, ['credentials.0.credential']],
      ] as const) {
        const answer = await send(body);
        expectInvalid(answer, fields);
        expect(answer.text).not.toContain(credential);
      }
    });
  });

  it('answers 401 to a credential of a resource server that the operator revoked alone', async () => {
    const server = await addResourceServer(gatehouse, 'https://rotated.example.com');
    const rotated = await resourcesCommand(gatehouse, 'rotate', server.id, '--grace', '1h');
    const next = { Authorization: `Bearer ${String(rotated.json['credential'])}` };
    const status = async (bearer: Bearer) =>
      (await send({ credentials: [{ credential: 'x' }] }, bearer)).status;
    const listed = async () =>
      (await resourcesCommand(gatehouse, 'show', server.id)).json['credentials'] as {
        id: string;
        expiresAt: string | null;
      }[];
    const former = (await listed()).find(({ expiresAt }) => expiresAt !== null)?.id ?? '';
    expect(await status(server.bearer)).toBe(200);

    expect((await createCli(gatehouse.database)(['revoke', former, '--yes'])).code).toBe(0);

    const refused = await send({ credentials: [{ credential: 'x' }] }, server.bearer);
    expect(refused.body).toMatchObject({ status: 401, detail: 'The credential is not valid.' });
    expect(await status(next)).toBe(200);
    const open = await createCredential(gatehouse, tenant, 'publishable', ['products:read']);
    expect(await status({ ...next, 'X-API-Key': open.secret })).toBe(400);
    expect(await listed()).toHaveLength(1);
  });

  it('answers 503 if the database cannot be asked, never a verdict', async () => {
    const lost = await createTestAppBehindProxy();
    const server = await addResourceServer(lost, 'https://a.example');
    const { secret } = await lost.createKey(await lost.createTenant('acme'));
    const body = { credentials: [{ credential: secret }] };
    const ask = () => lost.http.post('/api/v1/verify').set(server.bearer).send(body);
    expect((await ask()).status).toBe(200);
    await lost.verifierPool.end();
    expectProblem(await ask(), 503, 'service_unavailable');
    lost.verifierPool.end = async () => undefined;
    await lost.close();
  });
});

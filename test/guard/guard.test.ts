import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createRevocationStore } from '../../src/credentials/revocation/revocation-store.js';
import {
  createGuard,
  QuestionError,
  UnavailableError,
  type Guard,
  type GuardOptions,
} from '../../src/guard/index.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTestApp, type TestApp, type TestKey } from '../support/app/app.js';
import { createCredential } from '../support/app/credentials.js';
import { sendRaw } from '../support/app/raw-http.js';
import { confine, createSpace, defaultSpaceOf } from '../support/app/spaces.js';
import { until } from '../support/app/until.js';
import { createProver } from '../support/oauth/dpop.js';
import { createTable, expectConformance } from '../support/guard/conformance.js';
import { startServices, type GuardedServices } from '../support/guard/services.js';

const FIELDS = { scopes: ['contacts:read', 'contacts:write'] };

describe('the guard package', () => {
  let gatehouse: TestApp;
  let tenant: Tenant;
  let options: GuardOptions;
  let services: GuardedServices;
  const guards: Guard[] = [];
  beforeAll(async () => {
    gatehouse = await createTestApp();
    tenant = await gatehouse.createTenant('acme');
    const { secret } = await createCredential(gatehouse, tenant, 'service', ['introspect']);
    const issuer = gatehouse.config.ISSUER;
    options = {
      issuer,
      url: gatehouse.origin,
      origin: issuer,
      credential: secret,
      freshness: 'exact',
      resourceMetadataUrl: `${issuer}/.well-known/oauth-protected-resource/api/v1`,
    };
    services = await startServices(options);
  });
  afterAll(async () => {
    guards.forEach((guard) => guard.close());
    await services.close();
    await gatehouse.close();
  });

  const create = (more: Partial<GuardOptions> = {}) => {
    const guard = createGuard({ ...options, onError: () => undefined, ...more });
    guards.push(guard);
    return guard;
  };
  const createKey = (fields: object = {}) => gatehouse.createKey(tenant, { ...FIELDS, ...fields });
  const revoke = ({ id }: TestKey) =>
    gatehouse.dataSource.transaction((manager) =>
      createRevocationStore(manager).revoke(id, 'operator', null),
    );
  /** How many requests have asked for verdicts so far. */
  const asked = () => gatehouse.logged.filter((line) => line.includes('"/api/v1/verify"')).length;
  /** Whether a verdict is given without a question, once the feed is there. */
  const isKept = async (guard: Guard, credential: string) => {
    const before = asked();
    await guard.judge({ credential });
    return asked() === before;
  };

  describe('with adapters for Koa, Express, Fastify and fetch handlers', () => {
    it('answers as the API does', async () => {
      await expectConformance(gatehouse, services, await createTable(gatehouse, tenant));
    });

    it('judges spaces as gateways do, and spent budgets as the API', async () => {
      const confined = await createKey();
      const yard = await createSpace(gatehouse, tenant, 'Yard');
      await confine(gatehouse, confined, [yard]);
      const limited = await createKey({ rateLimitPerMinute: 1 });
      await gatehouse.http.get('/api/v1/me').set(limited.bearer).expect(200);
      const ownPath =
        '/api/v1/forward-auth/?scope=contacts:read&principals=tenant,user,service,agent';
      const row = (space: string, status: number) => ({
        title: `the space ${space}`,
        path: '/spaces',
        ownPath,
        headers: [
          ['Authorization', `Bearer ${confined.secret}`] as const,
          ['X-Bwp-Space', space] as const,
        ],
        status,
      });
      await expectConformance(gatehouse, services, [
        row(yard, 200),
        row('', 200),
        row(await defaultSpaceOf(gatehouse, tenant), 403),
        row('yard', 403),
        row('x'.repeat(500), 403),
        { title: 'a spent budget', headers: Object.entries(limited.bearer), status: 429 },
      ]);
    });

    it('judges again behind a body that arrived late, and accepts its proof', async () => {
      const path = '/api/v1/contacts';
      const prover = await createProver();
      for (const [adapter, origin] of Object.entries(services.origins)) {
        const [key, bound] = [await createKey(), await createKey({ jwk: prover.jwk })];
        const of = { method: 'POST', url: options.issuer + path, credential: bound.secret };
        const proof = { Authorization: `DPoP ${bound.secret}`, DPoP: await prover.prove(of) };
        for (const [credential, status] of [
          [key.bearer, 401],
          [proof, 200],
        ] as const) {
          const before = await acceptedVerdicts(gatehouse);
          const headers = { ...credential, 'Content-Type': 'text/plain', 'Content-Length': 4 };
          const sent = request(origin + path, { method: 'POST', headers });
          sent.write('be');
          // That of the service itself, and that of the credential.
          await until(async () => (await acceptedVerdicts(gatehouse)) >= before + 2);
          if (credential === key.bearer) await revoke(key);
          sent.end('at');
          const [answer] = (await once(sent, 'response')) as [IncomingMessage];
          answer.resume();
          expect({ adapter, status: answer.statusCode }).toEqual({ adapter, status });
        }
      }
    });

    it('counts a request with a late body once', async () => {
      const key = await createKey({ rateLimitPerMinute: 100 });
      for (const origin of Object.values(services.origins)) {
        const body = 'x'.repeat(200_000);
        const headers = [
          ...Object.entries(key.bearer),
          ['Content-Type', 'text/plain'] as const,
          ['Content-Length', String(body.length)] as const,
        ];
        const path = '/api/v1/contacts';
        const answer = await sendRaw(origin, { method: 'POST', path, headers, body });
        expect(answer.status).toBe(200);
      }
      const usage = await gatehouse.http.get('/api/v1/me').set(key.bearer);
      expect(usage.headers['ratelimit-key-remaining']).toBe('95');
    });
  });

  describe('exact', () => {
    it('asks for the calls of one turn in one request, and sees a revocation with the next', async () => {
      const guard = create();
      const key = await createKey();
      const before = asked();
      const judge = () => guard.judge({ credential: key.secret });
      const verdicts = await Promise.all(Array.from({ length: 64 }, judge));
      expect(verdicts.every(({ verdict }) => verdict.active)).toBe(true);
      expect(asked() - before).toBe(1);
      await revoke(key);
      expect((await judge()).verdict).toMatchObject({ active: false, status: 401 });
    });

    it('lets no call spoil the others of its turn', async () => {
      const guard = create();
      const { secret } = await createKey();
      const [good, long, unknown] = await Promise.allSettled([
        guard.judge({ credential: secret }),
        guard.judge({ credential: 'x'.repeat(5000) }),
        guard.judge({ credential: secret, scopes: ['no:scope'] }),
      ]);
      expect(good).toMatchObject({ value: { verdict: { active: true } } });
      for (const refused of [long, unknown]) {
        expect(refused).toMatchObject({ reason: expect.any(QuestionError) });
      }
    });

    it('answers 503 with Retry-After if Gatehouse cannot be asked or refuses the service', async () => {
      const sent = { method: 'GET', target: '/', address: undefined };
      const lines = ['Authorization', `Bearer ${(await createKey()).secret}`];
      const broken = [
        create({ url: 'http://127.0.0.1:1' }),
        create({ credential: gatehouse.format.mint('rs') }),
        create({ timeoutMs: 1 }),
      ];
      for (const guard of broken) {
        const gate = guard.gate<undefined>({ scopes: [] });
        const answer = await gate(undefined, { ...sent, lines });
        expect(answer).toMatchObject({
          status: 503,
          headers: { 'Retry-After': '1' },
          body: expect.stringContaining('"code":"service_unavailable"'),
        });
      }
    });

    it('refuses a credential with an allow-list if the address is unknown', async () => {
      const { secret } = await createKey({ allowedIps: ['127.0.0.1'] });
      const gate = create().gate<undefined>({ scopes: [] });
      const lines = ['X-API-Key', secret];
      for (const address of [undefined, '', 'unix:', '127.0.0.1:80']) {
        const answer = await gate(undefined, { method: 'GET', target: '/', lines, address });
        expect(answer).toMatchObject({ status: 401 });
      }
    });
  });

  describe('with maxStaleMs', () => {
    it('keeps verdicts until a change ends them', async () => {
      const guard = create({ freshness: { maxStaleMs: 5000 } });
      const [key, other] = [await createKey(), await createKey()];
      await until(() => isKept(guard, key.secret));
      await until(() => isKept(guard, other.secret));
      await revoke(key);
      await until(async () => !(await guard.judge({ credential: key.secret })).verdict.active);
      expect(await isKept(guard, other.secret)).toBe(true);
      const { verdict } = await guard.judge({ credential: other.secret });
      expect(() => Object.assign(verdict, { tenantId: 'x' })).toThrow('read only');
    });

    it('never takes a verdict for another presentation, address, space, kind, scope or resource', async () => {
      const guard = create({ freshness: { maxStaleMs: 5000 } });
      const { secret } = await createKey({ allowedIps: ['192.0.2.1'] });
      const home = { credential: secret, address: '192.0.2.1' };
      const before = asked();
      await until(async () => {
        const start = asked();
        await guard.judge(home);
        return asked() === start;
      });
      expect(asked()).toBeGreaterThan(before);
      for (const [question, status] of [
        [{ ...home, presentation: 'query' }, 401],
        [{ ...home, presentation: 'dpop' }, 401],
        [{ ...home, address: '192.0.2.2' }, 401],
        [{ ...home, space: 'spc_x' }, 403],
        [{ ...home, scopes: ['contacts:read', 'audit:read'] }, 403],
        [{ ...home, principals: ['user'] }, 403],
      ] as const) {
        const { verdict } = await guard.judge(question);
        expect({ question, verdict }).toMatchObject({ verdict: { active: false, status } });
      }
      const bindings = [{ type: 'contacts', id: '1' }];
      const agent = await gatehouse.createKey(tenant, { kind: 'agent', bindings });
      await until(() => isKept(guard, agent.secret));
      const judgeOf = async (id: string) =>
        (await guard.judge({ credential: agent.secret, resource: { type: 'contacts', id } }))
          .verdict;
      expect([(await judgeOf('1')).active, (await judgeOf('2')).active]).toEqual([true, false]);
    });

    it('counts uses on the budgets, and reports them', async () => {
      const guard = create({ freshness: { maxStaleMs: 5000 } });
      const key = await createKey({ rateLimitPerMinute: 80 });
      const other = await createKey();
      await until(() => isKept(guard, other.secret));
      const before = asked();
      let admitted = 0;
      let judged = await guard.judge({ credential: key.secret });
      for (; judged.verdict.active && admitted < 100; admitted += 1) {
        expect(judged.limits?.apiKey?.remaining).toBe(79 - admitted);
        judged = await guard.judge({ credential: key.secret });
      }
      expect(admitted).toBe(80);
      expect(judged.verdict).toMatchObject({ status: 429 });
      expect(asked() - before).toBeLessThan(40);
    });
  });

  it('checks that Gatehouse can be asked, and says why not', async () => {
    const rejected = (credential: string) => expect(create({ credential }).check()).rejects;
    const cutOff = (secret: string) => rejected(secret.slice(0, -1));
    const { secret } = await createKey();

    await expect(create().check()).resolves.toBeUndefined();
    await expect(create({ freshness: { maxStaleMs: 1000 } }).check()).resolves.toBeUndefined();

    const unreachable = create({ url: 'http://127.0.0.1:1' });
    await expect(unreachable.check()).rejects.toThrow(UnavailableError);
    await cutOff(options.credential).toThrow('401 at /api/v1/verify: The credential');
    await cutOff(gatehouse.format.mint('rs')).toThrow('resource server is cut off or mistyped');
    await rejected(gatehouse.format.mint('rs')).toThrow('The credential is not valid.');
    await rejected(secret).toThrow('403 at /api/v1/verify: Credentials of this kind');
  });

  it('admits no other kind by a rule that names one several times', async () => {
    const { secret } = await createKey();
    const lines = ['X-API-Key', secret];
    const sent = { method: 'GET', target: '/', lines, address: '192.0.2.1' };
    const principals = ['user', 'user', 'user', 'user', 'user'] as const;
    const gate = create().gate<object>({ scopes: [], principals });
    expect(await gate({}, sent)).toMatchObject({ isAdmitted: false, status: 403 });
  });

  it('refuses options and rules that it does not know', () => {
    for (const wrong of [
      { issuer: 'https://auth.example.com/path' },
      { issuer: 'ftp://auth.example.com' },
      { credential: 'a b' },
      { freshness: {} },
      { freshness: { maxStaleMs: Number.NaN } },
      { freshness: undefined },
      { resourceMetadataUrl: 'https://a.example/"' },
      { fresh: 'exact' },
    ]) {
      expect(() => createGuard({ ...options, ...wrong } as unknown as GuardOptions)).toThrow(
        TypeError,
      );
    }
    const fromFile = `${options.credential}\n`;
    expect(() => create({ credential: fromFile })).toThrow('without spaces and line breaks');
    const guard = create();
    for (const wrong of [
      {},
      { scope: ['contacts:read'], scopes: [] },
      { scopes: 'contacts:read' },
      { scopes: ['a"b'] },
      { scopes: [], principals: ['anybody'] },
      { scopes: [], space: 'spc_x' },
      { scopes: [], cost: -1 },
    ]) {
      expect(() => guard.gate(wrong as never)).toThrow(TypeError);
    }
  });
});

async function acceptedVerdicts({ register }: TestApp): Promise<number> {
  const metric = await register.getSingleMetric('gatehouse_verdicts_total')?.get();
  return metric?.values.find(({ labels }) => labels['verdict'] === 'accepted')?.value ?? 0;
}

import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Access, GuardedRoute, SessionRoute } from '../../src/credentials/index.js';
import { KEY_KINDS, KINDS } from '../../src/credentials/kinds.js';
import { scopeFacts, isScope, KEY_SCOPES, type Scope } from '../../src/scopes/catalog.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTestApp } from '../support/app/app.js';
import { createCredential } from '../support/app/credentials.js';
import { expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

type AnyRoute = Pick<GuardedRoute, 'method' | 'path'>;

/** The routes of the API that need no credential. Adding one is a decision. */
const PUBLIC = ['GET /scopes', 'POST /credentials/revoke'];
/** Paths outside the API that need no credential. */
const OPEN_PATHS = [
  '/healthz',
  '/readyz',
  '/docs/errors',
  '/.well-known/oauth-protected-resource',
  '/.well-known/oauth-protected-resource/api/v1',
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration',
  '/api/v1/oauth/jwks',
  '/login',
];
/** The units of expensive requests, by the last segment of their paths. */
const COSTS: Readonly<Record<string, number>> = { exports: 20, pdf: 50, bulk: 100, imports: 200 };
const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

const nameOf = ({ method, path }: AnyRoute) => `${method} ${path}`;
/** An id of the form that the route takes; `1` for the others. */
const IDS: readonly (readonly [string, string])[] = [
  ['/api-keys', 'key_01ARZ3NDEKTSV4RRFFQ69G5FAV'],
  ['/personal-access-tokens', 'key_01ARZ3NDEKTSV4RRFFQ69G5FAV'],
  ['/spaces', 'spc_01ARZ3NDEKTSV4RRFFQ69G5FAV'],
];
const idFor = (path: string) => IDS.find(([start]) => path.startsWith(start))?.[1] ?? '1';
const pathOf = ({ path }: AnyRoute) => `/api/v1${path.replace(':id', idFor(path))}`;

describe('every route', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let routes: readonly GuardedRoute[];
  let sessionRoutes: readonly SessionRoute[];
  let guarded: readonly (GuardedRoute & { access: Exclude<Access, 'public'> })[];
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    routes = gatehouse.app.apiRoutes;
    sessionRoutes = gatehouse.app.sessionRoutes;
    guarded = routes.flatMap((route) =>
      typeof route.access === 'object' ? [{ ...route, access: route.access }] : [],
    );
  });

  const call = (route: AnyRoute, headers: Record<string, string> = {}) => {
    const method = METHODS.find((name) => name.toUpperCase() === route.method) ?? 'get';
    return gatehouse.http[method](pathOf(route)).set(headers);
  };

  it('declares its access', () => {
    expect(routes.length).toBeGreaterThan(10);
    for (const route of routes) {
      expect({ route: nameOf(route), access: route.access }).toEqual({
        route: nameOf(route),
        access: PUBLIC.includes(nameOf(route))
          ? 'public'
          : expect.objectContaining({ scopes: expect.any(Array), principals: expect.any(Array) }),
      });
    }
    for (const { access } of sessionRoutes)
      expect(['account', 'member']).toContain(access?.session);
    for (const { access } of guarded) {
      expect(access.principals.length).toBeGreaterThan(0);
      expect(access.scopes.every(isScope)).toBe(true);
    }
  });

  it('costs what its method and the end of its path say', () => {
    for (const { method, path, cost } of [...routes, ...sessionRoutes]) {
      const [, ending = ''] = /\/([^/:]+)$/.exec(path) ?? [];
      const expected = COSTS[ending] ?? (method === 'GET' ? 1 : 5);
      expect({ method, path, cost }).toEqual({ method, path, cost: expected });
    }
  });

  it('declares a summary of its own, and an answer of the usual status', () => {
    const declared = [...routes, ...sessionRoutes];
    const summaries = declared.map(({ summary }) => summary);
    expect(new Set(summaries).size).toBe(declared.length);
    for (const summary of summaries) expect(summary).toMatch(/^[A-Z][a-z]+ .*[^.]$/);
    const usual = { GET: ['200'], POST: ['200', '201', '202', '204'] } as Record<string, string[]>;
    for (const { method, answers } of declared) {
      expect(Object.keys(answers)).toHaveLength(1);
      expect(usual[method] ?? ['200', '204']).toContain(Object.keys(answers)[0]);
    }
  });

  it('needs a scope, except for /me', () => {
    const free = guarded.filter(({ access }) => access.scopes.length === 0);

    expect(free.map(nameOf)).toEqual(['GET /me']);
  });

  it('is mounted as declared, and no other path is', async () => {
    const declared = new Map<string, Set<string>>();
    for (const route of [...routes, ...sessionRoutes]) {
      const methods = declared.get(pathOf(route)) ?? new Set();
      declared.set(pathOf(route), methods.add(route.method));
      if (route.method === 'GET') methods.add('HEAD');
    }
    for (const [path, methods] of declared) {
      const answer = await gatehouse.http.options(path);
      const allowed = (answer.headers['allow'] ?? '').split(', ');
      expect({ path, allowed: allowed.toSorted() }).toEqual({
        path,
        allowed: [...methods, 'OPTIONS'].toSorted(),
      });
    }
  });

  it('refuses an anonymous caller', async () => {
    for (const route of [...guarded, ...sessionRoutes]) {
      const answer = await call(route);
      expectProblem(answer, 401, 'unauthorized');
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer realm=/);
    }
  });

  it('refuses a credential that lacks one of its scopes', async () => {
    for (const route of guarded) {
      for (const missing of route.access.scopes) {
        const scopes = KEY_SCOPES.filter((scope) => scope !== missing);
        const key = await gatehouse.createKey(tenant, { scopes });
        const answer = await call(route, key.bearer);
        expectProblem(answer, 403, 'scope_insufficient');
        expect(answer.headers['www-authenticate']).toContain(
          `error="insufficient_scope", scope="${route.access.scopes.join(' ')}"`,
        );
      }
    }
  });

  it('admits a key that holds exactly its scopes', async () => {
    for (const route of guarded) {
      const fields = { scopes: route.access.scopes.length ? route.access.scopes : ['leads:read'] };
      const key = await gatehouse.createKey(tenant, fields);
      const answer = await call(route, key.bearer);
      expect([200, 404, 415, 422]).toContain(answer.status);
    }
  });

  it('refuses kinds of principal that it does not admit, whatever their scopes', async () => {
    for (const kind of KEY_KINDS) {
      const all = KEY_SCOPES as readonly Scope[];
      const { bearer } = await createCredential(gatehouse, tenant, kind, all);
      for (const route of guarded) {
        const answer = await call(route, bearer);
        const isAdmitted = route.access.principals.includes(KINDS[kind].principal);
        const seen = { kind, route: nameOf(route), isAdmitted: answer.status !== 403 };
        expect(seen).toEqual({ kind, route: nameOf(route), isAdmitted });
        if (!isAdmitted) expectProblem(answer, 403, 'forbidden');
      }
      for (const route of sessionRoutes) expectProblem(await call(route, bearer), 403, 'forbidden');
    }
  });

  it('never lets services, agents and publishable keys manage keys or spaces', () => {
    const managing: readonly Scope[] = ['api_keys:manage', 'spaces:manage'];
    for (const { access, ...route } of guarded) {
      if (!access.scopes.some((scope) => managing.includes(scope))) continue;
      expect({ ...route, principals: access.principals }).toEqual({
        ...route,
        principals: ['tenant', 'user'],
      });
    }
  });

  it('admits publishable keys only where all scopes are public, and at /me', () => {
    const admitting = guarded.filter(({ access }) => access.principals.includes('publishable'));
    expect(admitting.map(nameOf)).toEqual(['GET /me', 'GET /products', 'GET /products/:id']);
    for (const { access } of admitting) {
      expect(access.scopes.every((scope) => scopeFacts(scope).public)).toBe(true);
    }
  });

  it('answers without a credential only where it is declared public', async () => {
    for (const path of [...OPEN_PATHS, '/api/v1/scopes']) {
      expect({ path, status: (await gatehouse.http.get(path)).status }).toEqual({
        path,
        status: 200,
      });
    }
    for (const path of ['/', '/metrics', '/api', '/api/v1', '/api/v1/', '/debug']) {
      expectProblem(await gatehouse.http.get(path), 404, 'not_found');
    }
  });
});

describe('a route that declares nothing', () => {
  it('admits nobody, whatever they hold', async () => {
    const gatehouse = await createTestApp();
    const { createGuard } = await import('../../src/credentials/route-guard/guard.js');
    const principal = {
      credentialId: 'key_1',
      tenantId: 'tnt_1',
      environment: 'live',
      principalKind: 'tenant',
      scopes: KEY_SCOPES,
      kind: 'secret',
      proofKey: null,
    };
    const { createJudge } = await import('../../src/credentials/route-guard/judge.js');
    const { activity } = gatehouse.app;
    const judge = createJudge({
      activity,
      verifier: { verify: async () => ({ outcome: 'accepted', principal: principal as never }) },
      register: new (await import('prom-client')).Registry(),
      audiences: [],
    });
    const guard = createGuard({
      judge,
      activity,
      proofCheck: { read: async () => undefined, claim: async () => undefined, nonce: () => '' },
      presentations: { find: () => ({ raw: 'good', by: 'bearer' }), explain: () => '' },
      clientAddress: () => '127.0.0.1',
      resourceMetadataUrl: 'https://example.com/metadata',
    });
    const ctx = { req: {}, querystring: '', method: 'GET', state: {} } as never;
    let isAdmitted = false;
    const next = async () => void (isAdmitted = true);

    await expect(async () => guard(undefined)(ctx, next)).rejects.toMatchObject({
      code: 'forbidden',
    });
    expect(isAdmitted).toBe(false);
    await gatehouse.close();
  });
});

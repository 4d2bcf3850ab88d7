import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTestApp, type TestKey } from '../support/app/app.js';
import { createCredential } from '../support/app/credentials.js';
import { DEFAULT_LIMITS } from '../support/app/limits.js';
import { createSpace } from '../support/app/spaces.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const NO_TENANT_LIMIT = { ...DEFAULT_LIMITS, RATE_LIMIT_TENANT_PER_HOUR: '0' };
const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();

/** For each respect: a manager's restriction, and values within and beyond it. */
const RESPECTS = {
  scopes: {
    confined: ['leads:read', 'api_keys:manage'],
    within: ['leads:read'],
    beyond: ['leads:read', 'contacts:read'],
  },
  environment: { confined: 'test', within: 'test', beyond: 'live' },
  spaces: { confined: ['ONE', 'TWO'], within: ['TWO'], beyond: ['ONE', 'THREE'] },
  allowedIps: {
    confined: ['127.0.0.0/8', '10.0.0.0/8'],
    within: ['127.0.0.1'],
    beyond: ['127.0.0.1', '192.0.2.1'],
  },
  expiresAt: { confined: inDays(10), within: inDays(9), beyond: inDays(11) },
  // The default is 60.
  rateLimitPerMinute: { confined: 50, within: 40, beyond: null },
} as const;
type Respect = keyof typeof RESPECTS;
const ALL = Object.keys(RESPECTS) as Respect[];
/** Respects beyond which keys are not found. */
const HIDING: readonly Respect[] = ['environment', 'spaces'];

/** Restricted in no respect, in one, in two neighbouring ones, and in all. */
const MANAGERS: readonly (readonly Respect[])[] = [
  [],
  ...ALL.map((respect) => [respect]),
  ...ALL.slice(1).map((respect, index) => [ALL[index] ?? respect, respect]),
  ALL,
];
const TARGETS: readonly (readonly Respect[])[] = [[], ...ALL.map((respect) => [respect]), ALL];
const ACTIONS = ['list', 'show', 'create', 'alter', 'rotate', 'end'] as const;
type Action = (typeof ACTIONS)[number];

const nameOf = (respects: readonly Respect[], otherwise: string) =>
  respects.join(', ') || otherwise;

describe('the authority over keys', () => {
  const gatehouse = useGatehouse(NO_TENANT_LIMIT);
  let tenant: Tenant;
  const spaceIds = new Map<string, string>();
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    for (const name of ['ONE', 'TWO', 'THREE']) {
      spaceIds.set(name, await createSpace(gatehouse, tenant, name));
    }
  });

  const withIds = (fields: Record<string, unknown>) => {
    const named = fields['spaces'] as readonly string[] | null | undefined;
    return named ? { ...fields, spaces: named.map((name) => spaceIds.get(name)) } : fields;
  };
  const keyOf = (respects: readonly Respect[], which: 'beyond' | 'within') =>
    withIds({
      name: 'Target',
      ...Object.fromEntries(
        ALL.map((respect) => [
          respect,
          RESPECTS[respect][respects.includes(respect) ? which : 'within'],
        ]),
      ),
    });
  const managerOf = (respects: readonly Respect[]) =>
    gatehouse.createKey(
      tenant,
      withIds({
        name: 'Manager',
        rateLimitPerMinute: respects.includes('rateLimitPerMinute') ? 50 : 0,
        ...Object.fromEntries(
          respects.map((respect) => [respect, RESPECTS[respect].confined] as const),
        ),
      }),
    );

  /** @param id of a key with these members */
  async function act(action: Action, by: TestKey, id: string, fields: object): Promise<number> {
    const { http } = gatehouse;
    const path = `/api/v1/api-keys/${id}`;
    switch (action) {
      case 'create':
        return (await http.post('/api/v1/api-keys').set(by.bearer).send(fields)).status;
      case 'list': {
        const { body } = await http.get('/api/v1/api-keys').set(by.bearer);
        return (body.data as { id: string }[]).some((key) => key.id === id) ? 200 : 404;
      }
      case 'show':
        return (await http.get(path).set(by.bearer)).status;
      case 'alter':
        return (await http.patch(path).set(by.bearer).send({ name: 'Altered' })).status;
      case 'rotate':
        return (await http.post(`${path}/rotate`).set(by.bearer).send({})).status;
      case 'end':
        return (await http.delete(path).set(by.bearer)).status;
    }
  }

  const SUCCESS = { list: 200, show: 200, create: 201, alter: 200, rotate: 201, end: 204 };

  function expectedOf(
    action: Action,
    manager: readonly Respect[],
    target: readonly Respect[],
  ): number {
    const exceeded = target.filter((respect) => manager.includes(respect));
    const isHidden = exceeded.some((respect) => HIDING.includes(respect));
    if (action === 'create') return exceeded.length > 0 ? 403 : 201;
    if (isHidden) return 404;
    if (action === 'list' || action === 'show') return 200;
    return exceeded.length > 0 ? 403 : SUCCESS[action];
  }

  it.each(MANAGERS.map((respects) => [nameOf(respects, 'nothing'), respects] as const))(
    'of a key restricted in %s is not exceeded by any action',
    async (_name, respects) => {
      const seen: Record<string, number> = {};
      const expected: Record<string, number> = {};
      // Requests of one manager: fewer than its rate limit.
      const by = await managerOf(respects);
      for (const target of TARGETS) {
        const fields = keyOf(target, 'beyond');
        const { id } = await gatehouse.createKey(tenant, fields);
        for (const action of ACTIONS) {
          const cell = `${action} one that is wide in ${nameOf(target, 'nothing')}`;
          seen[cell] = await act(action, by, id, fields);
          expected[cell] = expectedOf(action, respects, target);
        }
      }

      expect(seen).toEqual(expected);
    },
    60_000,
  );

  it('over itself allows to show, rotate and revoke, and not to change', async () => {
    for (const respects of MANAGERS) {
      const by = await managerOf(respects);
      const path = `/api/v1/api-keys/${by.id}`;
      const altered = gatehouse.http.patch(path).set(by.bearer).send({ name: 'Altered' });
      const statuses = [
        (await gatehouse.http.get(path).set(by.bearer)).status,
        (await altered).status,
        (await gatehouse.http.delete(path).set(by.bearer)).status,
        (await gatehouse.http.get('/api/v1/me').set(by.bearer)).status,
      ];
      expect([respects, ...statuses]).toEqual([respects, 200, 403, 204, 401]);
    }
  });

  it('lets an organization key revoke the keys that it can create, and itself, but no other of its kind', async () => {
    const fields = { kind: 'organization', scopes: ['api_keys:manage'] };
    const [organization, other] = [
      await gatehouse.createKey(tenant, fields),
      await gatehouse.createKey(tenant, fields),
    ];
    const made = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
    const manager = await gatehouse.createKey(tenant, { scopes: ['api_keys:manage'] });
    const end = async ({ id }: TestKey) =>
      (await gatehouse.http.delete(`/api/v1/api-keys/${id}`).set(organization.bearer)).status;

    expect([
      await end(other),
      await end(manager),
      await end(made),
      await end(organization),
    ]).toEqual([403, 403, 204, 204]);
  });

  it('gives a personal token that of any key, and lets it revoke itself', async () => {
    const personal = await createCredential(gatehouse, tenant, 'personal', [
      'api_keys:manage',
      'leads:read',
    ] as never);
    const [wider, within] = [
      await gatehouse.createKey(tenant, { scopes: ['contacts:read'] }),
      await gatehouse.createKey(tenant, { scopes: ['leads:read'] }),
    ];
    const end = async ({ id }: Pick<TestKey, 'id'>) =>
      (await gatehouse.http.delete(`/api/v1/api-keys/${id}`).set(personal.bearer)).status;

    expect([await end(wider), await end(within), await end(personal)]).toEqual([403, 204, 204]);
    await gatehouse.http.get('/api/v1/me').set(personal.bearer).expect(401);
  });

  it('shows no publishable key of another space, not even its text', async () => {
    const fields = { kind: 'publishable', scopes: ['products:read'] };
    const theirs = await gatehouse.createKey(tenant, withIds({ ...fields, spaces: ['THREE'] }));
    const ours = await gatehouse.createKey(tenant, withIds({ ...fields, spaces: ['ONE'] }));
    const by = await managerOf(['spaces']);
    const listed = await gatehouse.http.get('/api/v1/api-keys?limit=100').set(by.bearer);

    const data = listed.body.data as { id: string; key?: string }[];
    expect(data.find(({ id }) => id === ours.id)?.key).toBe(ours.secret);
    expect(data.filter(({ id, key }) => id === theirs.id || key === theirs.secret)).toEqual([]);
  });

  describe('over limits', () => {
    it.each([
      [null, null, 201],
      [null, 60, 201],
      [null, 61, 403],
      [null, 0, 403],
      [100, null, 201],
      [100, 100, 201],
      [100, 101, 403],
      [30, null, 403],
      [0, 0, 201],
      [0, null, 201],
      [0, 1_000_000, 201],
    ])('of one with the limit %s allows one with %s: %i', async (own, wanted, status) => {
      const by = await gatehouse.createKey(tenant, { rateLimitPerMinute: own });
      const body = { name: 'Child', scopes: ['leads:read'], rateLimitPerMinute: wanted };

      await gatehouse.http.post('/api/v1/api-keys').set(by.bearer).send(body).expect(status);
    });

    it('holds with the default that the operator sets; 0 is unlimited', async () => {
      for (const [standard, statuses] of [
        ['10', [201, 403, 403]],
        ['0', [201, 201, 201]],
      ] as const) {
        const other = await createTestApp({
          ...NO_TENANT_LIMIT,
          RATE_LIMIT_KEY_PER_MINUTE: standard,
        });
        const by = await other.createKey(await other.createTenant('acme'));
        const seen = [];
        for (const rateLimitPerMinute of [10, 11, 0]) {
          const body = { name: 'Child', scopes: ['leads:read'], rateLimitPerMinute };
          seen.push((await other.http.post('/api/v1/api-keys').set(by.bearer).send(body)).status);
        }
        expect([standard, seen]).toEqual([standard, statuses]);
        await other.close();
      }
    });
  });

  describe('over a key that was rotated', () => {
    it('allows to move its expiry to an earlier time only', async () => {
      const admin = await gatehouse.createKey(tenant, { rateLimitPerMinute: 0 });
      const { id } = await gatehouse.createKey(tenant, { scopes: ['leads:read'] });
      const path = `/api/v1/api-keys/${id}`;
      const rotation = gatehouse.http.post(`${path}/rotate`).set(admin.bearer);
      const successor = (await rotation.send({ graceSeconds: 600 }).expect(201)).body.data;
      const patch = async (key: string, fields: object) =>
        (await gatehouse.http.patch(`/api/v1/api-keys/${key}`).set(admin.bearer).send(fields))
          .status;

      expect(await patch(id, { expiresAt: null })).toBe(409);
      expect(await patch(id, { expiresAt: inDays(1) })).toBe(409);
      expect(await patch(id, { name: 'Going' })).toBe(200);
      const sooner = new Date(Date.now() + 60_000).toISOString();
      expect(await patch(id, { expiresAt: sooner })).toBe(200);
      expect(await patch(successor.id, { expiresAt: inDays(1) })).toBe(200);
      expect(await patch(successor.id, { expiresAt: null })).toBe(200);
    });
  });

  it('over spaces needs a live key: a test key only reads them', async () => {
    const space = spaceIds.get('THREE') ?? '';
    const test = await gatehouse.createKey(tenant, { environment: 'test', rateLimitPerMinute: 0 });
    const path = `/api/v1/spaces/${space}`;
    const name = { name: 'Renamed' };

    await gatehouse.http.get(path).set(test.bearer).expect(200);
    await gatehouse.http.patch(path).set(test.bearer).send(name).expect(403);
    await gatehouse.http.post('/api/v1/spaces').set(test.bearer).send(name).expect(403);
    const by = await managerOf(['spaces']);
    await gatehouse.http.patch(path).set(by.bearer).send(name).expect(404);
    expect((await gatehouse.http.get(path).set(test.bearer)).body.data.name).toBe('THREE');
  });
});

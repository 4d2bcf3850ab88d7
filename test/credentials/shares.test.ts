import { beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import { createTestApp, type TestKey } from '../support/app/app.js';
import { createCredential } from '../support/app/credentials.js';
import { DEFAULT_LIMITS, START, told } from '../support/app/limits.js';
import { createUser, getTokens, registerClient } from '../support/oauth/oauth.js';
import { expectProblem } from '../support/app/problems.js';

type Holder = Pick<TestKey, 'bearer'>;

/** A share of 20 units an hour is 4. */
const LIMITS = { ...DEFAULT_LIMITS, RATE_LIMIT_TENANT_PER_HOUR: '20' };

describe('the hourly budget of a tenant', () => {
  const gatehouse = useGatehouse(LIMITS, () => now);
  let tenant: Tenant;
  let now = START;
  let tenants = 0;
  beforeEach(async () => {
    now = START;
    tenants += 1;
    tenant = await gatehouse.createTenant(`tenant-${tenants}`);
  });

  const me = async ({ bearer }: Holder, headers = {}) =>
    gatehouse.http.get('/api/v1/me').set(bearer).set(headers);
  /** Sends requests until one is refused. */
  const useUp = async (by: Holder, most = 30) => {
    let count = 0;
    while (count < most && (await me(by)).status === 200) count += 1;
    return count;
  };
  const tokenOf = async (
    user: Awaited<ReturnType<typeof createUser>>,
    client: Awaited<ReturnType<typeof registerClient>>,
  ): Promise<Holder> => {
    const { access_token } = await getTokens(gatehouse, { client, user });
    return { bearer: { Authorization: `Bearer ${access_token}` } };
  };

  it('gives one app a fifth at most, with the tokens of all its users', async () => {
    const [ann, bob] = [
      await createUser(gatehouse, [[tenant, 'member']]),
      await createUser(gatehouse, [[tenant, 'member']]),
    ];
    const [app, other] = [
      await registerClient(gatehouse),
      await registerClient(gatehouse, { client_name: 'Another app' }),
    ];
    const [first, second] = [await tokenOf(ann, app), await tokenOf(bob, app)];

    expect([await useUp(first), await useUp(second)]).toEqual([4, 0]);

    const refused = await me(first);
    expectProblem(refused, 429, 'rate_limited');
    expect(refused.headers['retry-after']).toBe('3600');
    expect(refused.body.title).toBe('Rate limit exceeded');
    expect(refused.body.detail).toContain('share of this app');
    expect(told(refused, 'key')).toEqual([4, 0, 3600]);
    expect(told(refused, 'tenant')).toEqual([20, 16, 3600]);
    expect(await useUp(await tokenOf(ann, other))).toBe(4);
    expect(await useUp(await gatehouse.createKey(tenant))).toBe(12);
  });

  it('gives the personal tokens of one account a fifth at most, apart from its apps', async () => {
    const one = await createCredential(gatehouse, tenant, 'personal', ['leads:read']);
    const two = await createCredential(gatehouse, tenant, 'personal', ['leads:read']);
    await gatehouse.database.query('UPDATE credentials SET principal_id = $1 WHERE id = $2', [
      one.principalId,
      two.id,
    ]);
    const other = await createCredential(gatehouse, tenant, 'personal', ['leads:read']);

    expect([await useUp(one), await useUp(two), await useUp(other)]).toEqual([4, 0, 4]);
    expect(told(await me(await gatehouse.createKey(tenant)), 'tenant')?.[1]).toBe(11);
  });

  it('gives an app a share in each tenant', async () => {
    const elsewhere = await gatehouse.createTenant(`elsewhere-${tenants}`);
    const app = await registerClient(gatehouse);
    const [here, there] = [
      await tokenOf(await createUser(gatehouse, [[tenant, 'member']]), app),
      await tokenOf(await createUser(gatehouse, [[elsewhere, 'member']]), app),
    ];

    expect([await useUp(here), await useUp(there)]).toEqual([4, 4]);
  });

  it('does not count the test environment, which has its own budget', async () => {
    const fields = { rateLimitPerMinute: 0 };
    const test = await gatehouse.createKey(tenant, { ...fields, environment: 'test' });
    const live = await gatehouse.createKey(tenant, fields);

    expect(await useUp(test)).toBe(20);
    expect(told(await me(live), 'tenant')).toEqual([20, 19, 3600]);
    expect(await useUp(live)).toBe(19);
  });

  it('does not count publishable keys, whose live and test budgets are separate', async () => {
    const fields = { kind: 'publishable', scopes: ['products:read'], rateLimitPerMinute: 0 };
    const live = await gatehouse.createKey(tenant, fields);
    const test = await gatehouse.createKey(tenant, { ...fields, environment: 'test' });

    expect([await useUp(test), await useUp(live)]).toEqual([20, 20]);
    expect(await useUp(await gatehouse.createKey(tenant, { rateLimitPerMinute: 0 }))).toBe(20);
  });

  it('counts a token beside a test publishable key on the test budget', async () => {
    const user = await createUser(gatehouse, [[tenant, 'member']]);
    const token = await tokenOf(user, await registerClient(gatehouse));
    const key = await gatehouse.createKey(tenant, {
      kind: 'publishable',
      scopes: ['products:read'],
      environment: 'test',
    });
    await me(token);

    const beside = await me(token, { 'X-API-Key': key.secret });
    expect(told(beside, 'tenant')).toEqual([20, 19, 3600]);
    expect(told(beside, 'key')).toEqual([4, 3, 3600]);
  });

  it('completes a request that is larger than the rest of a share', async () => {
    const token = await createCredential(gatehouse, tenant, 'personal', ['contacts:write']);
    const post = () =>
      gatehouse.http.post('/api/v1/contacts').set(token.bearer).send({ type: 'other' });

    await post().expect(201);
    const refused = await post();
    expectProblem(refused, 429, 'rate_limited');
    now = START + 3600_000;
    await post().expect(201);
  });

  it.each([
    ['100', '20', [20, 0, 3600]],
    ['1', '20', [1, 0, 3600]],
    ['50', '0', undefined],
  ])('a share is %s percent of %s, as the operator sets it', async (percent, hour, figures) => {
    const other = await createTestApp(
      {
        ...LIMITS,
        RATE_LIMIT_TENANT_PER_HOUR: hour,
        RATE_LIMIT_TOKEN_SHARE_PERCENT: percent,
      },
      () => START,
    );
    const { bearer } = await createCredential(other, await other.createTenant('a'), 'personal', [
      'leads:read',
    ]);
    let answer = await other.http.get('/api/v1/me').set(bearer);
    if (percent === '100') {
      while (told(answer, 'key')?.[1] !== 0)
        answer = await other.http.get('/api/v1/me').set(bearer);
    }
    expect(told(answer, 'key')).toEqual(figures);
    await other.close();
  });
});

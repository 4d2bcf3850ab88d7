import { beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import type { TestKey } from '../support/app/app.js';
import { postContact } from '../support/app/contacts.js';
import { START, told } from '../support/app/limits.js';
import { expectProblem } from '../support/app/problems.js';

let tenants = 0;

describe('rate limits that the operator set', () => {
  let now = START;
  const gatehouse = useGatehouse(
    { RATE_LIMIT_TENANT_PER_HOUR: '12', RATE_LIMIT_KEY_PER_MINUTE: '0' },
    () => now,
  );
  let tenant: Tenant;
  beforeEach(async () => {
    now = START;
    tenants += 1;
    tenant = await gatehouse.createTenant(`tenant-${tenants}`);
  });

  const me = async (by: TestKey) => gatehouse.http.get('/api/v1/me').set(by.bearer);

  it('hold where a key has no limit of its own, and 0 means no limit', async () => {
    const [byDefault, own] = [
      await gatehouse.createKey(tenant),
      await gatehouse.createKey(tenant, { rateLimitPerMinute: 7 }),
    ];
    const answer = await me(byDefault);
    expect(told(answer, 'tenant')).toEqual([12, 11, 3600]);
    expect(told(answer, 'key')).toBeUndefined();
    expect(told(await me(own), 'key')).toEqual([7, 6, 60]);
  });

  it('let a request complete that is larger than what is left, and refuse once nothing is', async () => {
    const key = await gatehouse.createKey(tenant);
    for (let n = 0; n < 11; n += 1) await me(key);
    const large = await postContact(gatehouse, key, { type: 'other' });
    expect(large.status).toBe(201);
    expect(told(large, 'tenant')).toEqual([12, 0, 3600]);

    const refused = await me(key);
    expectProblem(refused, 429, 'rate_limited');
    expect(refused.headers['retry-after']).toBe('3600');
    expect(told(refused, 'tenant')).toEqual([12, 0, 3600]);
  });

  it('are waited for until something is left, also where more was used than there is', async () => {
    const key = await gatehouse.createKey(tenant);
    await me(key);
    await me(key);
    now = START + 900_000;
    for (let n = 0; n < 9; n += 1) await me(key);
    await postContact(gatehouse, key, { type: 'other' });

    // Sixteen of twelve: when the first two leave there is still nothing.
    expect((await me(key)).headers['retry-after']).toBe('3600');
    now = START + 3_600_000;
    expect((await me(key)).headers['retry-after']).toBe('900');
    now = START + 4_500_000;
    expect(told(await me(key), 'tenant')).toEqual([12, 11, 3600]);
  });

  it('tell of two spent budgets the one that takes longer', async () => {
    const [one, other] = [
      await gatehouse.createKey(tenant, { rateLimitPerMinute: 11 }),
      await gatehouse.createKey(tenant, { rateLimitPerMinute: 1 }),
    ];
    for (let n = 0; n < 11; n += 1) expect((await me(one)).status).toBe(200);
    now = START + 3_591_000;
    expect((await me(other)).status).toBe(200);
    const byKey = await me(other);
    expect([told(byKey, 'tenant'), told(byKey, 'key')]).toEqual([
      [12, 0, 9],
      [1, 0, 60],
    ]);
    expect(byKey.headers['retry-after']).toBe('60');
    expect(byKey.body.detail).toContain('key');

    const third = await gatehouse.createKey(tenant);
    const byTenant = await me(third);
    expect(byTenant.headers['retry-after']).toBe('9');
    expect(byTenant.body.detail).toContain('tenant');
  });

  it('are counted by metrics when they refuse, by budget', async () => {
    const count = async (budget: string) => {
      const text = await gatehouse.register.getSingleMetricAsString('gatehouse_rate_limited_total');
      return Number(new RegExp(`budget="${budget}"} (\\d+)`).exec(text)?.[1] ?? 0);
    };
    const before = [await count('tenant'), await count('key')];
    const key = await gatehouse.createKey(tenant, { rateLimitPerMinute: 1 });
    for (let n = 0; n < 4; n += 1) await me(key);
    expect([await count('tenant'), await count('key')]).toEqual([before[0], (before[1] ?? 0) + 3]);
  });
});

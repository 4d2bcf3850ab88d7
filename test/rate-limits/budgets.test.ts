import { beforeEach, describe, expect, it } from '@jest/globals';

import { KINDS, type KeyKind } from '../../src/credentials/kinds.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import type { TestKey } from '../support/app/app.js';
import { createCredential } from '../support/app/credentials.js';
import { DEFAULT_LIMITS, START, told } from '../support/app/limits.js';
import { createUser, getTokens, registerClient } from '../support/oauth/oauth.js';

describe('requests count by the kind of their credential:', () => {
  const gatehouse = useGatehouse({ ...DEFAULT_LIMITS, TRUST_PROXY: '127.0.0.1' }, () => START);
  let tenant: Tenant;
  let tenants = 0;
  beforeEach(async () => {
    tenants += 1;
    tenant = await gatehouse.createTenant(`tenant-${tenants}`);
  });

  const me = async (by: Pick<TestKey, 'bearer'>, address = '192.0.2.1') =>
    gatehouse.http.get('/api/v1/me').set(by.bearer).set('X-Forwarded-For', address);
  const makeKey = (kind: KeyKind) => createCredential(gatehouse, tenant, kind, ['products:read']);

  it.each(['secret', 'service', 'agent', 'organization'] as const)(
    '%s counts on its key and its tenant',
    async (kind) => {
      const answer = await me(await makeKey(kind));
      expect(told(answer, 'tenant')).toEqual([10_000, 9999, 3600]);
      expect(told(answer, 'key')).toEqual([60, 59, 60]);
    },
  );

  it('personal tokens and access tokens count on the tenant, and on a share of it', async () => {
    const user = await createUser(gatehouse, [[tenant, 'member']]);
    const client = await registerClient(gatehouse);
    const { access_token } = await getTokens(gatehouse, { client, user });
    const token = { bearer: { Authorization: `Bearer ${access_token}` } };
    expect(told(await me(token), 'tenant')).toEqual([10_000, 9999, 3600]);
    const personal = await me(await makeKey('personal'));
    expect(told(personal, 'tenant')).toEqual([10_000, 9998, 3600]);
    expect(told(personal, 'key')).toEqual([2000, 1999, 3600]);
    for (let n = 0; n < 70; n += 1) await me(token);
    expect(told(await me(token), 'key')).toEqual([2000, 1928, 3600]);
  });

  it('publishable keys count by key and address, in a tenant budget of their own', async () => {
    const [key, publishable, sibling] = [
      await gatehouse.createKey(tenant, { rateLimitPerMinute: 0 }),
      await makeKey('publishable'),
      await makeKey('publishable'),
    ];
    const first = await me(publishable);
    expect(told(first, 'tenant')).toEqual([10_000, 9999, 3600]);
    expect(told(first, 'key')).toEqual([60, 59, 60]);
    expect(told(await me(publishable, '192.0.2.2'), 'key')).toEqual([60, 59, 60]);
    expect(told(await me(sibling), 'key')).toEqual([60, 59, 60]);
    expect(told(await me(publishable), 'key')).toEqual([60, 58, 60]);
    expect(told(await me(sibling), 'tenant')?.[1]).toBe(9995);

    expect(told(await me(key), 'tenant')?.[1]).toBe(9999);
  });

  it('publishable keys do not get more by moving within a network, or by forging an address', async () => {
    const publishable = await makeKey('publishable');
    const left = async (address: string) => told(await me(publishable, address), 'key')?.[1];
    expect(await left('2001:db8:1:2::1')).toBe(59);
    expect(await left('2001:db8:1:2:ffff::2')).toBe(58);
    expect(await left('2001:db8:1:3::1')).toBe(59);
    expect(await left('nonsense')).toBe(59);
    expect(await left('x'.repeat(5000))).toBe(58);
    expect(await left('::ffff:192.0.2.7')).toBe(59);
    expect(await left('192.0.2.7')).toBe(58);
  });

  it('is said for every kind, on one tenant budget and at most one of its own', () => {
    for (const { limits } of Object.values(KINDS)) {
      expect(limits.filter((limit) => limit.endsWith('tenant'))).toHaveLength(1);
      expect(limits.length).toBeLessThanOrEqual(2);
    }
  });
});

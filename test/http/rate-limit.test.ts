import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { Response } from 'supertest';

import { KINDS, type KeyKind } from '../../src/credentials/kinds.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTestApp, type TestApp, type TestKey } from '../support/app.js';
import { postContact } from '../support/contacts.js';
import { createCredential } from '../support/credentials.js';
import { createUser, getTokens, registerClient } from '../support/oauth.js';
import { expectProblem } from '../support/problems.js';

/** The beginning of a slot of either window, so that what is counted at once leaves at once. */
const START = 1_800_000_000_000;
const DEFAULTS = { RATE_LIMIT_TENANT_PER_HOUR: '', RATE_LIMIT_KEY_PER_MINUTE: '' };

let tenants = 0;

/** What an answer says of a budget: limit, remaining, reset; undefined if it says nothing. */
function told(answer: Response, name: 'tenant' | 'key'): number[] | undefined {
  const figures = ['limit', 'remaining', 'reset'].map(
    (figure) => answer.headers[`ratelimit-${name}-${figure}`],
  );
  if (figures.every((figure) => figure === undefined)) return undefined;
  for (const figure of figures) expect(figure).toMatch(/^\d+$/);
  return figures.map(Number);
}

describe('rate limits', () => {
  let now = START;
  let gatehouse: TestApp;
  let tenant: Tenant;
  beforeAll(async () => {
    gatehouse = await createTestApp({ ...DEFAULTS, TRUST_PROXY: '127.0.0.1' }, () => now);
  });
  afterAll(() => gatehouse.close());
  beforeEach(async () => {
    now = START;
    tenants += 1;
    tenant = await gatehouse.createTenant(`tenant-${tenants}`);
  });

  const get = (path: string, by: Pick<TestKey, 'bearer'>) =>
    gatehouse.http.get(`/api/v1${path}`).set(by.bearer);
  const me = (by: Pick<TestKey, 'bearer'>, address = '192.0.2.1') =>
    get('/me', by).set('X-Forwarded-For', address);
  const meTimes = async (count: number, by: Pick<TestKey, 'bearer'>) => {
    for (let n = 0; n < count; n += 1) expect((await me(by)).status).toBe(200);
  };
  const limited = (rateLimitPerMinute: number | null) =>
    gatehouse.createKey(tenant, { rateLimitPerMinute });
  const afterSeconds = (seconds: number) => {
    now = START + seconds * 1000;
  };

  describe('of a key', () => {
    it('are 60 requests a minute, and every answer says what is left', async () => {
      const key = await limited(null);
      for (let left = 59; left >= 0; left -= 1) {
        const answer = await me(key);
        expect(answer.status).toBe(200);
        expect(told(answer, 'key')).toEqual([60, left, 60]);
      }
      const refused = await me(key);
      expectProblem(refused, 429, 'rate_limited');
      expect(told(refused, 'key')).toEqual([60, 0, 60]);
      expect(refused.headers['retry-after']).toBe('60');
    });

    it('slide: what was asked a minute ago is free again, what came later is not', async () => {
      const key = await limited(4);
      await meTimes(2, key);
      afterSeconds(30);
      await meTimes(2, key);
      const refused = await me(key);
      expect(refused.status).toBe(429);
      expect(refused.headers['retry-after']).toBe('30');

      afterSeconds(59);
      expect((await me(key)).headers['retry-after']).toBe('1');
      afterSeconds(60);
      expect(told(await me(key), 'key')).toEqual([4, 1, 30]);
      await meTimes(1, key);
      expect((await me(key)).headers['retry-after']).toBe('30');
      afterSeconds(1020);
      expect(told(await me(key), 'key')).toEqual([4, 3, 60]);
    });

    it('are those that were set for it, from the next request on', async () => {
      const [admin, key] = [await limited(0), await limited(2)];
      await meTimes(2, key);
      expect((await me(key)).status).toBe(429);

      const patched = await gatehouse.http
        .patch(`/api/v1/api-keys/${key.id}`)
        .set(admin.bearer)
        .send({ rateLimitPerMinute: 3 });
      expect(patched.status).toBe(200);
      expect(told(await me(key), 'key')).toEqual([3, 0, 60]);
      expect((await me(key)).status).toBe(429);
    });

    it('are none with 0, and then nothing is said of them', async () => {
      const key = await limited(0);
      await meTimes(70, key);
      const answer = await me(key);
      expect(told(answer, 'key')).toBeUndefined();
      expect(told(answer, 'tenant')).toEqual([10_000, 9929, 3600]);
    });

    it('are its own: another key of the tenant has others', async () => {
      const [one, other] = [await limited(1), await limited(1)];
      await meTimes(1, one);
      expect((await me(one)).status).toBe(429);
      await meTimes(1, other);
    });

    it('count requests, whatever they cost', async () => {
      const key = await limited(3);
      const answer = await postContact(gatehouse, key, { type: 'other' });
      expect(answer.status).toBe(201);
      expect(told(answer, 'key')).toEqual([3, 2, 60]);
    });

    it('hold for requests that are sent at once', async () => {
      const key = await limited(10);
      const answers = await Promise.all(Array.from({ length: 40 }, async () => me(key)));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(10);
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(30);
    });
  });

  describe('of a tenant', () => {
    it('are 10,000 units an hour, of which reading costs 1 and changing 5', async () => {
      const key = await limited(0);
      expect(told(await me(key), 'tenant')).toEqual([10_000, 9999, 3600]);
      const head = await gatehouse.http.head('/api/v1/me').set(key.bearer);
      expect(told(head, 'tenant')).toEqual([10_000, 9998, 3600]);
      const created = await postContact(gatehouse, key, { type: 'other' });
      expect(told(created, 'tenant')).toEqual([10_000, 9993, 3600]);
      const path = `/api/v1/contacts/${created.body.data.id}`;
      const patched = await gatehouse.http.patch(path).set(key.bearer).send({ firstName: 'Ann' });
      expect(told(patched, 'tenant')).toEqual([10_000, 9988, 3600]);
      const deleted = await gatehouse.http.delete(path).set(key.bearer);
      expect(deleted.status).toBe(204);
      expect(told(deleted, 'tenant')).toEqual([10_000, 9983, 3600]);
    });

    it('are shared by all of its keys, and by no other tenant', async () => {
      const [one, other] = [await limited(0), await limited(0)];
      await meTimes(2, one);
      expect(told(await me(other), 'tenant')?.[1]).toBe(9997);

      const elsewhere = await gatehouse.createKey(await gatehouse.createTenant(`other-${tenants}`));
      expect(told(await me(elsewhere), 'tenant')?.[1]).toBe(9999);
    });

    it('count what fails for another reason, but not what was refused', async () => {
      const key = await limited(3);
      const invalid = await postContact(gatehouse, key, {});
      expect(invalid.status).toBe(422);
      expect(told(invalid, 'tenant')?.[1]).toBe(9995);
      expect(told(await get('/contacts/999999', key), 'tenant')?.[1]).toBe(9994);
      await meTimes(1, key);
      for (let n = 0; n < 5; n += 1) {
        const refused = await me(key);
        expect(refused.status).toBe(429);
        expect(told(refused, 'tenant')?.[1]).toBe(9993);
      }
      afterSeconds(60);
      expect(told(await me(key), 'key')).toEqual([3, 2, 60]);
    });
  });

  describe('leave out', () => {
    const unchanged = async (key: TestKey, ask: () => Promise<unknown>) => {
      const before = told(await me(key), 'tenant')?.[1] ?? 0;
      await ask();
      expect(told(await me(key), 'tenant')?.[1]).toBe(before - 1);
    };

    it('whoever has no credential, or a bad one', async () => {
      const key = await limited(0);
      const garbage = [undefined, 'Bearer', 'Bearer nonsense', `Bearer ${key.secret}x`, '\u00ff'];
      await unchanged(key, async () => {
        for (const Authorization of garbage) {
          const answer = await gatehouse.http
            .get('/api/v1/me')
            .set(Authorization ? { Authorization } : {});
          expect(answer.status).toBe(401);
          expect(told(answer, 'tenant')).toBeUndefined();
          expect(told(answer, 'key')).toBeUndefined();
        }
      });
    });

    it('what a route does not admit, other methods, and paths that are none', async () => {
      const key = await gatehouse.createKey(tenant, { scopes: ['leads:read'] });
      await unchanged(key, async () => {
        expectProblem(await get('/contacts', key), 403, 'scope_insufficient');
        expectProblem(
          await gatehouse.http.put('/api/v1/me').set(key.bearer),
          405,
          'method_not_allowed',
        );
        expectProblem(await get('/nowhere', key), 404, 'not_found');
        expectProblem(await get('/me/', key), 404, 'not_found');
      });
    });

    it('what is public, and OAuth', async () => {
      const key = await limited(1);
      await meTimes(1, key);
      expect((await get('/scopes', key)).status).toBe(200);
      expect((await get('/oauth/userinfo', key)).status).toBe(200);
    });
  });

  it('refuse before the body is read and before an Idempotency-Key is looked at', async () => {
    const key = await limited(1);
    await meTimes(1, key);
    const socket = connect(Number(new URL(gatehouse.origin).port), '127.0.0.1');
    socket.write(
      `POST /api/v1/contacts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key.secret}\r\n` +
        'Idempotency-Key: one\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
    );
    expect(await firstLine(socket)).toBe('HTTP/1.1 429 Too Many Requests');
    socket.destroy();

    afterSeconds(60);
    const answer = await postContact(
      gatehouse,
      key,
      { type: 'other' },
      { 'Idempotency-Key': 'one' },
    );
    expect(answer.status).toBe(201);
  });

  describe('by kind of credential', () => {
    const makeKey = (kind: KeyKind) => createCredential(gatehouse, tenant, kind, ['products:read']);

    it.each(['secret', 'service', 'agent', 'organization'] as const)(
      '%s counts on its key and its tenant',
      async (kind) => {
        const answer = await me(await makeKey(kind));
        expect(told(answer, 'tenant')).toEqual([10_000, 9999, 3600]);
        expect(told(answer, 'key')).toEqual([60, 59, 60]);
      },
    );

    it('personal tokens and access tokens count on the tenant only', async () => {
      const user = await createUser(gatehouse, [[tenant, 'member']]);
      const client = await registerClient(gatehouse);
      const { access_token } = await getTokens(gatehouse, { client, user });
      const token = { bearer: { Authorization: `Bearer ${access_token}` } };
      expect(told(await me(token), 'tenant')).toEqual([10_000, 9999, 3600]);
      const personal = await me(await makeKey('personal'));
      expect(told(personal, 'tenant')).toEqual([10_000, 9998, 3600]);
      await meTimes(70, token);
      for (const answer of [personal, await me(token)]) expect(told(answer, 'key')).toBeUndefined();
    });

    it('publishable keys count by key and address, in a tenant budget of their own', async () => {
      const [key, publishable, sibling] = [
        await limited(0),
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
});

describe('rate limits that the operator set', () => {
  let now = START;
  let gatehouse: TestApp;
  let tenant: Tenant;
  beforeAll(async () => {
    const env = { RATE_LIMIT_TENANT_PER_HOUR: '12', RATE_LIMIT_KEY_PER_MINUTE: '0' };
    gatehouse = await createTestApp(env, () => now);
  });
  afterAll(() => gatehouse.close());
  beforeEach(async () => {
    now = START;
    tenants += 1;
    tenant = await gatehouse.createTenant(`tenant-${tenants}`);
  });

  const me = async (by: TestKey) => gatehouse.http.get('/api/v1/me').set(by.bearer);

  it('hold where a key says nothing else, and 0 is no limit', async () => {
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
    const key = await gatehouse.createKey(tenant, { rateLimitPerMinute: 12 });
    for (let n = 0; n < 12; n += 1) expect((await me(key)).status).toBe(200);
    const refused = await me(key);
    expect(told(refused, 'key')).toEqual([12, 0, 60]);
    expect(refused.headers['retry-after']).toBe('3600');
    expect(refused.body.detail).toContain('tenant');
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

async function firstLine(socket: Socket): Promise<string> {
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  return chunk.toString().split('\r\n')[0] ?? '';
}

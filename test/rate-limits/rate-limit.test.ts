import { beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import type { TestKey } from '../support/app/app.js';
import { postContact } from '../support/app/contacts.js';
import { DEFAULT_LIMITS, START, told } from '../support/app/limits.js';
import { expectProblem } from '../support/app/problems.js';

let tenants = 0;

describe('rate limits', () => {
  let now = START;
  const gatehouse = useGatehouse(DEFAULT_LIMITS, () => now);
  let tenant: Tenant;
  beforeEach(async () => {
    now = START;
    tenants += 1;
    tenant = await gatehouse.createTenant(`tenant-${tenants}`);
  });

  const get = (path: string, by: Pick<TestKey, 'bearer'>) =>
    gatehouse.http.get(`/api/v1${path}`).set(by.bearer);
  const me = (by: Pick<TestKey, 'bearer'>) => get('/me', by);
  const meTimes = async (count: number, by: Pick<TestKey, 'bearer'>) => {
    for (let n = 0; n < count; n += 1) expect((await me(by)).status).toBe(200);
  };
  const limited = (rateLimitPerMinute: number | null) =>
    gatehouse.createKey(tenant, { rateLimitPerMinute });
  const afterSeconds = (seconds: number) => {
    now = START + seconds * 1000;
  };

  describe('the limit of a key', () => {
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

    it('do not exist with 0, and then no header mentions them', async () => {
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

  describe('the limit of a tenant', () => {
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

    it('a request without a credential, or with a bad one', async () => {
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

    it('refused requests, other methods, and unknown paths', async () => {
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

    it('public documents and OAuth', async () => {
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
    const line = await firstLine(socket).finally(() => socket.destroy());
    expect(line).toBe('HTTP/1.1 429 Too Many Requests');

    afterSeconds(60);
    const answer = await postContact(
      gatehouse,
      key,
      { type: 'other' },
      { 'Idempotency-Key': 'one' },
    );
    expect(answer.status).toBe(201);
  });
});

async function firstLine(socket: Socket): Promise<string> {
  // A server that waits for the body says nothing.
  const signal = AbortSignal.timeout(10_000);
  const [chunk] = (await once(socket, 'data', { signal })) as [Buffer];
  return chunk.toString().split('\r\n')[0] ?? '';
}

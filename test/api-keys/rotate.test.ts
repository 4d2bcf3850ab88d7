import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const FIELDS = {
  name: 'Sync',
  environment: 'test',
  scopes: ['contacts:read', 'leads:read'],
  allowedIps: ['127.0.0.1'],
  expiresAt: '2090-01-01T00:00:00.000Z',
  rateLimitPerMinute: 30,
};

describe('POST /api/v1/api-keys/:id/rotate', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let admin: TestKey;
  let old: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    admin = await gatehouse.createKey(tenant);
  });
  beforeEach(async () => {
    await gatehouse.database.shiftClock('0');
    old = await gatehouse.createKey(tenant, FIELDS);
  });

  const rotate = (body?: object, by = admin, id = old.id) =>
    gatehouse.http.post(`/api/v1/api-keys/${id}/rotate`).set(by.bearer).send(body);
  const revoke = (id: string) =>
    gatehouse.http.delete(`/api/v1/api-keys/${id}`).set(admin.bearer).expect(204);
  const use = (secret: string) => gatehouse.http.get('/api/v1/me').set('X-API-Key', secret);
  const show = async (id: string) =>
    (await gatehouse.http.get(`/api/v1/api-keys/${id}`).set(admin.bearer)).body.data;

  describe('201', () => {
    it('creates a key like the old one, and ends the old one at once', async () => {
      const answer = await rotate();

      expect(answer.status).toBe(201);
      const { data } = answer.body;
      expect(data).toMatchObject({
        ...FIELDS,
        kind: 'secret',
        status: 'active',
        replaces: old.id,
        createdBy: admin.id,
        key: expect.stringMatching(/^bwp_test_[0-9A-Za-z]{49}$/),
      });
      expect(data.id).not.toBe(old.id);
      expect(data.key).not.toBe(old.secret);
      expectProblem(await use(old.secret), 401, 'unauthorized');
      expect((await use(data.key)).body.data.keyId).toBe(data.id);
      expect(await show(old.id)).toMatchObject({ status: 'revoked', replaces: null });
    });

    it('keeps the old key valid until the grace time ends', async () => {
      const fresh = (await rotate({ graceSeconds: 600 })).body.data;
      await use(old.secret).expect(200);
      await use(fresh.key).expect(200);

      await gatehouse.database.shiftClock('590 seconds');
      await use(old.secret).expect(200);

      await gatehouse.database.shiftClock('601 seconds');
      expectProblem(await use(old.secret), 401, 'token_expired');
      expect((await show(old.id)).status).toBe('expired');
      await use(fresh.key).expect(200);
    });

    it('never extends the expiry of the old key', async () => {
      const brief = await gatehouse.createKey(tenant, {
        ...FIELDS,
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      });
      const before = await show(brief.id);

      await rotate({ graceSeconds: 86_400 }, admin, brief.id).expect(201);

      expect((await show(brief.id)).expiresAt).toBe(before.expiresAt);
    });

    it('expires a key without expiry when the grace time ends', async () => {
      const endless = await gatehouse.createKey(tenant, { ...FIELDS, expiresAt: null });

      const fresh = (await rotate({ graceSeconds: 60 }, admin, endless.id)).body.data;

      await gatehouse.database.shiftClock('61 seconds');
      expectProblem(await use(endless.secret), 401, 'token_expired');
      expect(fresh.expiresAt).toBeNull();
      await use(fresh.key).expect(200);
    });

    it('keeps the new key active when the old one is revoked, and vice versa', async () => {
      const first = (await rotate({ graceSeconds: 600 })).body.data;
      await revoke(old.id);
      expectProblem(await use(old.secret), 401, 'unauthorized');
      await use(first.key).expect(200);

      const second = (await rotate({ graceSeconds: 600 }, admin, first.id)).body.data;
      await revoke(second.id);
      expectProblem(await use(second.key), 401, 'unauthorized');
      await use(first.key).expect(200);
    });

    it('lets a key rotate itself', async () => {
      const own = await gatehouse.createKey(tenant, { scopes: ['api_keys:manage'] });

      const fresh = (await rotate({}, own, own.id).expect(201)).body.data;

      expect(fresh.createdBy).toBe(own.id);
      expectProblem(await use(own.secret), 401, 'unauthorized');
      await use(fresh.key).expect(200);
    });
  });

  describe('409', () => {
    it('refuses to rotate a revoked key', async () => {
      await revoke(old.id);

      expectProblem(await rotate(), 409, 'conflict');
    });

    it('refuses to rotate an expired key', async () => {
      await rotate({ graceSeconds: 60 });
      await gatehouse.database.shiftClock('61 seconds');

      expectProblem(await rotate(), 409, 'conflict');
    });

    it('lets one of several concurrent rotations win, with one new key', async () => {
      const answers = await Promise.all(Array.from({ length: 5 }, () => rotate()));

      const statuses = answers.map(({ status }) => status).toSorted();
      expect(statuses).toEqual([201, 409, 409, 409, 409]);
      const made = await gatehouse.database.query(
        'SELECT id FROM credentials WHERE replaces = $1',
        [old.id],
      );
      expect(made).toHaveLength(1);
    });
  });

  describe('422', () => {
    it.each([-1, 1.5, '60', null, 30 * 24 * 3600 + 1])('refuses a grace of %j', async (grace) => {
      expectInvalid(await rotate({ graceSeconds: grace }), ['graceSeconds']);
      await use(old.secret).expect(200);
    });

    it('refuses unknown members', async () => {
      expectInvalid(await rotate({ scopes: ['contacts:read'] }), ['scopes']);
    });
  });

  describe('404', () => {
    it('answers 404 for a key of another tenant', async () => {
      const other = await gatehouse.createTenant(`other-${old.id.toLowerCase()}`);

      const answer = await rotate({}, await gatehouse.createKey(other));

      expectProblem(answer, 404, 'not_found');
      await use(old.secret).expect(200);
    });
  });

  describe('403', () => {
    it('needs api_keys:manage', async () => {
      expectProblem(await rotate({}, old), 403, 'scope_insufficient');
    });
  });

  describe('409', () => {
    it('answers a key that has a successor already', async () => {
      await rotate({ graceSeconds: 3600 });

      expectProblem(await rotate({ graceSeconds: 60 }), 409, 'conflict');
      expect((await use(old.secret)).status).toBe(200);
    });
  });

  describe('two keys that rotate each other', () => {
    it('do not deadlock', async () => {
      // Each rotation locks the other's predecessor: locks without a common order would
      // end in deadlocks, which PostgreSQL resolves by failing one of them.
      for (let round = 0; round < 10; round += 1) {
        const [one, two] = [await gatehouse.createKey(tenant), await gatehouse.createKey(tenant)];
        const answers = await Promise.all([
          rotate(undefined, one, two.id),
          rotate(undefined, two, one.id),
        ]);
        for (const { status } of answers) expect([201, 401]).toContain(status);
      }
    });
  });
});

import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('PATCH /api/v1/api-keys/:id', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let admin: TestKey;
  let key: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    admin = await gatehouse.createKey(tenant);
  });
  beforeEach(async () => {
    await gatehouse.database.shiftClock('0');
    key = await gatehouse.createKey(tenant, {
      name: 'Sync',
      scopes: ['contacts:read'],
      allowedIps: ['127.0.0.1'],
      expiresAt: '2090-01-01T00:00:00Z',
      rateLimitPerMinute: 30,
    });
  });

  const patch = (body: object, id = key.id, by = admin) =>
    gatehouse.http.patch(`/api/v1/api-keys/${id}`).set(by.bearer).send(body);
  const show = async () =>
    (await gatehouse.http.get(`/api/v1/api-keys/${key.id}`).set(admin.bearer)).body.data;

  describe('200', () => {
    it.each([
      ['name', ' Import ', 'Import'],
      ['allowedIps', ['10.0.0.0/8'], ['10.0.0.0/8']],
      ['allowedIps', null, null],
      ['expiresAt', '2080-01-01T00:00:00Z', '2080-01-01T00:00:00.000Z'],
      ['expiresAt', null, null],
      ['rateLimitPerMinute', 5, 5],
      ['rateLimitPerMinute', null, null],
    ])('sets %s to %j and leaves the rest alone', async (member, value, stored) => {
      const before = await show();

      const answer = await patch({ [member]: value });

      expect(answer.status).toBe(200);
      expect(answer.body.data).toEqual({ ...before, [member]: stored });
      expect(await show()).toEqual(answer.body.data);
    });

    it('changes nothing for an empty body', async () => {
      const before = await show();

      const answer = await patch({});

      expect(answer.status).toBe(200);
      expect(answer.body.data).toEqual(before);
    });

    it('takes effect from the next request on', async () => {
      const use = () => gatehouse.http.get('/api/v1/me').set(key.bearer);
      await use().expect(200);

      await patch({ allowedIps: ['192.0.2.1'] });
      expectProblem(await use(), 401, 'unauthorized');

      await patch({ allowedIps: null });
      await use().expect(200);
    });
  });

  describe('422', () => {
    it.each([
      ['name', ''],
      ['name', null],
      ['name', 'x'.repeat(101)],
      ['expiresAt', '2020-01-01T00:00:00Z'],
      ['expiresAt', 'never'],
      ['rateLimitPerMinute', -1],
      ['allowedIps', 'anywhere'],
      ['allowedIps', []],
      ['expiresAt', '9999-12-31T23:59:59-14:00'],
      ['expiresAt', '1969-12-31T23:59:59Z'],
      ['name', 'a\u001b[2Jb'],
      ['name', 'a\u202eb'],
      ['scopes', ['contacts:write']],
      ['environment', 'test'],
      ['kind', 'secret'],
      ['spaces', null],
      ['status', 'active'],
      ['createdBy', 'me'],
    ])('refuses %s: %j', async (member, value) => {
      const before = await show();

      expectInvalid(await patch({ name: 'Changed', [member]: value }), [member]);
      expect(await show()).toEqual(before);
    });
  });

  describe('403', () => {
    it('refuses a key that changes itself, also to narrow it', async () => {
      expectProblem(await patch({ rateLimitPerMinute: 1 }, admin.id), 403, 'forbidden');
    });

    it('needs api_keys:manage', async () => {
      expectProblem(await patch({ name: 'x' }, admin.id, key), 403, 'scope_insufficient');
    });
  });

  describe('404', () => {
    it('answers 404 for a key of another tenant', async () => {
      const other = await gatehouse.createTenant(`other-${key.id.toLowerCase()}`);
      const stranger = await gatehouse.createKey(other);

      expectProblem(await patch({ name: 'Mine' }, key.id, stranger), 404, 'not_found');
      expect((await show()).name).toBe('Sync');
    });
  });

  describe('409', () => {
    it('refuses to change a revoked key', async () => {
      await gatehouse.http.delete(`/api/v1/api-keys/${key.id}`).set(admin.bearer).expect(204);

      expectProblem(await patch({ name: 'Changed' }), 409, 'conflict');
      expectProblem(await patch({ expiresAt: null }), 409, 'conflict');
    });

    it('refuses to change an expired key', async () => {
      await patch({ expiresAt: '2080-01-01T00:00:00Z' });
      await gatehouse.database.shiftClock('60 years');

      expectProblem(await patch({ expiresAt: null }), 409, 'conflict');
      const answer = await gatehouse.http.get('/api/v1/me').set(key.bearer);
      expectProblem(answer, 401, 'token_expired');
      expect((await show()).status).toBe('expired');
    });
  });
});

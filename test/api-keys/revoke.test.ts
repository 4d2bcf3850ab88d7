import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('DELETE /api/v1/api-keys/:id', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let admin: TestKey;
  let key: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    admin = await gatehouse.createKey(tenant);
  });
  beforeEach(async () => {
    key = await gatehouse.createKey(tenant, { name: 'Sync', scopes: ['contacts:read'] });
  });

  const revoke = (body?: object, by = admin, id = key.id) =>
    gatehouse.http.delete(`/api/v1/api-keys/${id}`).set(by.bearer).send(body);
  const use = () => gatehouse.http.get('/api/v1/me').set(key.bearer);

  describe('204', () => {
    it('revokes the key: the next request with it is refused', async () => {
      await use().expect(200);

      const answer = await revoke({ confirm: 'Sync' });

      expect(answer.status).toBe(204);
      expect(answer.text).toBe('');
      expectProblem(await use(), 401, 'unauthorized');
    });

    it('keeps it in the list, as revoked', async () => {
      await revoke();

      const list = await gatehouse.http.get('/api/v1/api-keys?limit=100').set(admin.bearer);
      const shown = await gatehouse.http.get(`/api/v1/api-keys/${key.id}`).set(admin.bearer);

      expect(list.body.data).toContainEqual(
        expect.objectContaining({ id: key.id, status: 'revoked' }),
      );
      expect(shown.body.data.status).toBe('revoked');
    });

    it('is idempotent, with one audit entry', async () => {
      await revoke().expect(204);
      await revoke().expect(204);
      await Promise.all([revoke().expect(204), revoke().expect(204)]);

      const rows = await gatehouse.database.query(
        'SELECT subject FROM revocations WHERE subject = $1',
        [key.id],
      );
      expect(rows).toHaveLength(1);
    });

    it('accepts the right name as a confirmation', async () => {
      await revoke({ confirm: 'Sync' }).expect(204);

      expectProblem(await use(), 401, 'unauthorized');
    });

    it('lets a key revoke itself', async () => {
      const own = await gatehouse.createKey(tenant, { scopes: ['api_keys:manage'] });

      await revoke({}, own, own.id).expect(204);

      expectProblem(await revoke({}, own, own.id), 401, 'unauthorized');
    });
  });

  describe('without api_keys:manage', () => {
    it.each(['secret', 'service', 'agent'] as const)(
      'lets a %s key revoke itself',
      async (kind) => {
        const own = await gatehouse.createKey(tenant, { kind, scopes: ['contacts:read'] });
        expectProblem(await revoke({ confirm: 'Another' }, own, own.id), 409, 'conflict');

        await revoke({}, own, own.id).expect(204);

        expectProblem(await gatehouse.http.get('/api/v1/me').set(own.bearer), 401, 'unauthorized');
      },
    );

    it('lets a key do nothing else to itself', async () => {
      const own = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
      const path = `/api/v1/api-keys/${own.id}`;

      for (const request of [
        gatehouse.http.get(path),
        gatehouse.http.patch(path).send({ name: 'Mine' }),
        gatehouse.http.post(`${path}/rotate`).send({}),
      ]) {
        expectProblem(await request.set(own.bearer), 403, 'scope_insufficient');
      }
    });

    it('refuses a publishable key that revokes itself: it may be public', async () => {
      const fields = { kind: 'publishable', scopes: ['products:read'] } as const;
      const own = await gatehouse.createKey(tenant, fields);

      expectProblem(await revoke({}, own, own.id), 403, 'forbidden');
    });
  });

  it('refuses to revoke a key that is wider than the manager', async () => {
    const narrow = await gatehouse.createKey(tenant, { scopes: ['api_keys:manage'] });

    expectProblem(await revoke({}, narrow), 403, 'forbidden');
    expectProblem(await revoke({ confirm: 'Sync' }, narrow), 403, 'forbidden');

    await use().expect(200);
  });

  describe('409', () => {
    it.each(['sync', 'Sync ', '', 'Another'])('refuses the wrong name %j', async (confirm) => {
      expectProblem(await revoke({ confirm }), 409, 'conflict');
      await use().expect(200);
    });
  });

  describe('a key that was used within seven days', () => {
    const DAYS = (days: number) => `${days} days`;

    it('is revoked only with its name, directly after its use too', async () => {
      await use().expect(200);

      const answer = await revoke({});

      expectProblem(answer, 409, 'conflict');
      expect(answer.body.detail).toContain('confirm');
      await use().expect(200);
      await revoke({ confirm: 'Sync' }).expect(204);
      expectProblem(await use(), 401, 'unauthorized');
    });

    it.each([
      [6.9, 409],
      [7.1, 204],
    ])('%d days after its last use: %d', async (days, status) => {
      await gatehouse.database.query(
        `INSERT INTO credential_uses VALUES ($1, gatehouse_now() - $2::interval, '127.0.0.1')`,
        [key.id, DAYS(days)],
      );

      expect((await revoke({})).status).toBe(status);
    });

    it('may revoke itself without a name, as at the revocation endpoint', async () => {
      const own = await gatehouse.createKey(tenant, { scopes: ['api_keys:manage'] });
      await gatehouse.http.get('/api/v1/me').set(own.bearer).expect(200);

      await revoke({}, own, own.id).expect(204);
    });

    it('needs no name once it is revoked', async () => {
      await use().expect(200);
      await revoke({ confirm: 'Sync' }).expect(204);

      await revoke({}).expect(204);
    });
  });

  describe('422', () => {
    it.each([{ confirm: 5 }, { confirm: null }, { confirmed: 'Sync' }])(
      'refuses %j',
      async (body) => {
        expectInvalid(await revoke(body), Object.keys(body));
        await use().expect(200);
      },
    );
  });

  describe('404', () => {
    it('answers 404 for a key of another tenant', async () => {
      const other = await gatehouse.createTenant(`other-${key.id.toLowerCase()}`);
      const stranger = await gatehouse.createKey(other);

      expectProblem(await revoke({}, stranger), 404, 'not_found');
      await use().expect(200);
    });

    it('answers 404 to a test key for a live key', async () => {
      const test = await gatehouse.createKey(tenant, { environment: 'test' });

      expectProblem(await revoke({}, test), 404, 'not_found');
      await use().expect(200);
    });

    it.each(['key_01ARZ3NDEKTSV4RRFFQ69G5FAV', 'key_', 'tnt_01ARZ3NDEKTSV4RRFFQ69G5FAV', "'"])(
      'answers 404 for %s',
      async (id) => {
        expectProblem(await revoke({}, admin, id), 404, 'not_found');
      },
    );

    it('answers 404 for the id of a tenant', async () => {
      expectProblem(await revoke({}, admin, tenant.id), 404, 'not_found');
      await use().expect(200);
    });
  });

  describe('403', () => {
    it('needs api_keys:manage for another key', async () => {
      const other = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
      expectProblem(await revoke({}, other), 403, 'scope_insufficient');
    });
  });
});

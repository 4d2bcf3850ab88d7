import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { createCredential } from '../support/app/credentials.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

interface Listed {
  readonly id: string;
  readonly environment: string;
}

describe('the keys of a tenant', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let other: TestKey;
  let first: TestKey;
  let test: TestKey;
  let last: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    other = await gatehouse.createKey(await gatehouse.createTenant('other'));
    first = await gatehouse.createKey(tenant, { name: 'First' });
    test = await gatehouse.createKey(tenant, { name: 'Test', environment: 'test' });
    last = await gatehouse.createKey(tenant, { name: 'Last', scopes: ['contacts:read'] });
  });

  const list = async (key: TestKey, query = '') => {
    const answer = await gatehouse.http.get(`/api/v1/api-keys${query}`).set(key.bearer);
    expect(answer.status).toBe(200);
    return answer.body as {
      data: Listed[];
      meta: { pagination: { cursor: string | null; has_more: boolean; count: number } };
    };
  };
  const idsOf = async (key: TestKey, query?: string) =>
    (await list(key, query)).data.map(({ id }) => id);

  describe('GET /api/v1/api-keys', () => {
    it('lists them newest first, without their secrets', async () => {
      const { data, meta } = await list(first);

      expect(data.map(({ id }) => id)).toEqual([last.id, test.id, first.id]);
      expect(meta.pagination).toEqual({ cursor: null, has_more: false, count: 3 });
      expect(data[0]).toEqual({
        id: last.id,
        name: 'Last',
        kind: 'secret',
        environment: 'live',
        scopes: ['contacts:read'],
        allowedIps: null,
        expiresAt: null,
        rateLimitPerMinute: null,
        spaces: null,
        bindings: null,
        replaces: null,
        externalId: null,
        metadata: {},
        lastUsedAt: null,
        lastUsedIp: null,
        status: 'active',
        maskedKey: `bwp_live_…${last.secret.slice(-4)}`,
        createdAt: expect.any(String),
        createdBy: 'operator',
      });
    });

    it('lists the keys of one tenant only', async () => {
      expect(await idsOf(other)).toEqual([other.id]);
    });

    it('lists no live keys to a test key', async () => {
      expect(await idsOf(test)).toEqual([test.id]);
      expect(await idsOf(test, '?environment=live')).toEqual([]);
    });

    it('can be narrowed to an environment', async () => {
      expect(await idsOf(first, '?environment=test')).toEqual([test.id]);
      expect(await idsOf(first, '?environment=live')).toEqual([last.id, first.id]);
      const answer = await gatehouse.http
        .get('/api/v1/api-keys?environment=staging')
        .set(first.bearer);
      expectInvalid(answer, ['environment']);
    });

    it('is paginated, with a cursor for this list only', async () => {
      const page = await list(first, '?limit=2');
      expect(page.data.map(({ id }) => id)).toEqual([last.id, test.id]);
      expect(page.meta.pagination).toMatchObject({ has_more: true, count: 2 });

      const { cursor } = page.meta.pagination;
      expect(await idsOf(first, `?limit=2&cursor=${cursor}`)).toEqual([first.id]);
      for (const [key, query] of [
        [other, ''],
        [test, ''],
        [first, '&environment=live'],
      ] as const) {
        const answer = await gatehouse.http
          .get(`/api/v1/api-keys?cursor=${cursor}${query}`)
          .set(key.bearer);
        expectProblem(answer, 400, 'bad_request');
      }
    });

    it('needs api_keys:manage', async () => {
      const answer = await gatehouse.http.get('/api/v1/api-keys').set(last.bearer);

      expectProblem(answer, 403, 'scope_insufficient');
    });
  });

  describe('GET /api/v1/api-keys/:id', () => {
    const show = (id: string, key = first) =>
      gatehouse.http.get(`/api/v1/api-keys/${id}`).set(key.bearer);

    it('shows what the list shows', async () => {
      const { data } = await list(first);

      const answer = await show(last.id);

      expect(answer.status).toBe(200);
      expect(answer.body.data).toEqual(data[0]);
    });

    it('shows time and address of the last use, once they are written', async () => {
      const key = await gatehouse.createKey(tenant, {
        scopes: ['leads:read'],
        name: 'Used',
        environment: 'test',
      });
      await gatehouse.http.get('/api/v1/me').set(key.bearer);
      await gatehouse.app.activity.flush();

      const answer = await show(key.id);

      expect(answer.body.data.lastUsedIp).toBe('127.0.0.1');
      expect(Math.abs(Date.parse(answer.body.data.lastUsedAt) - Date.now())).toBeLessThan(10_000);
    });

    it('does not record a refused use', async () => {
      const key = await gatehouse.createKey(tenant, { name: 'Refused', scopes: ['leads:read'] });
      await gatehouse.http.get('/api/v1/contacts').set(key.bearer).expect(403);
      await gatehouse.app.activity.flush();

      expect((await show(key.id)).body.data.lastUsedAt).toBeNull();
    });

    it.each([
      ['no such key', () => show('key_01ARZ3NDEKTSV4RRFFQ69G5FAV')],
      ['no id at all', () => show('%00')],
      ["another tenant's key", () => show(other.id)],
      ['a live key, asked with a test key', () => show(first.id, test)],
    ])('is 404 for %s', async (_what, ask) => {
      expectProblem(await ask(), 404, 'not_found');
    });
  });

  it('lose the scopes that the catalogue of today gives no key of their kind', async () => {
    const publishable = await createCredential(gatehouse, tenant, 'publishable', ['products:read']);
    const secret = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
    await gatehouse.database.query(
      `UPDATE credentials SET scopes = '{contacts:read,products:read,openid}' WHERE id = ANY ($1)`,
      [[publishable.id, secret.id]],
    );
    const scopesOf = async (key: TestKey) =>
      (await gatehouse.http.get('/api/v1/me').set(key.bearer)).body.data.scopes as string[];
    expect(await scopesOf(publishable)).toEqual(['products:read']);
    expect(await scopesOf(secret)).toEqual(['contacts:read', 'products:read']);
  });
});

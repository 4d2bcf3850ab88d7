import { beforeAll, describe, expect, it } from '@jest/globals';

import type { KeyKind } from '../../../src/credentials/kinds.js';
import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import { type TestKey } from '../../support/app/app.js';
import { createCredential } from '../../support/app/credentials.js';
import { expectProblem } from '../../support/app/problems.js';
import { createProducts } from '../../support/app/products.js';
import { confine, createSpace, defaultSpaceOf } from '../../support/app/spaces.js';
import { useGatehouse } from '../../support/app/use-gatehouse.js';

const FULL = {
  name: 'Ready-mix concrete',
  sku: 'CON-1',
  description: 'Delivered.',
  unit: 'cubic yard',
  priceCents: 16850,
  currency: 'USD',
};
const BARE = { name: 'Gravel', sku: 'GRA-1' };

describe('/api/v1/products', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let key: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    key = await createCredential(gatehouse, tenant, 'publishable', ['products:read']);
    await createProducts(gatehouse, tenant, [FULL]);
    await createProducts(gatehouse, tenant, [BARE]);
  });

  const get = (path = '', by = key, headers = {}) =>
    gatehouse.http.get(`/api/v1/products${path}`).set({ ...by.bearer, ...headers });
  const namesOf = (answer: { body: { data: { name: string }[] } }) =>
    answer.body.data.map(({ name }) => name);

  it('lists the newest first, and shows one with all members, null for absent ones', async () => {
    const answer = await get();

    expect(answer.status).toBe(200);
    const times = { createdAt: expect.any(String), updatedAt: expect.any(String) };
    const nothing = { description: null, unit: null, priceCents: null, currency: null };
    expect(answer.body).toEqual({
      data: [
        { id: expect.any(Number), ...BARE, ...nothing, ...times },
        { id: expect.any(Number), ...FULL, ...times },
      ],
      meta: {
        request_id: answer.headers['x-request-id'],
        pagination: { cursor: null, has_more: false, count: 2 },
      },
    });
    for (const product of answer.body.data) {
      expect((await get(`/${product.id}`)).body.data).toEqual(product);
    }
  });

  it('is paginated', async () => {
    const first = await get('?limit=1');
    const second = await get(`?limit=1&cursor=${first.body.meta.pagination.cursor}`);

    expect([first, second].map(namesOf)).toEqual([['Gravel'], ['Ready-mix concrete']]);
    const other = await gatehouse.createKey(tenant);
    const path = `/api/v1/contacts?cursor=${first.body.meta.pagination.cursor}`;
    expectProblem(await gatehouse.http.get(path).set(other.bearer), 400, 'bad_request');
  });

  it.each<KeyKind>(['secret', 'publishable', 'personal', 'service', 'agent'])(
    'admits a %s credential',
    async (kind) => {
      const by = await createCredential(gatehouse, tenant, kind, ['products:read']);

      expect(namesOf(await get('', by).expect(200))).toHaveLength(2);
    },
  );

  it('is read with a publishable key in the URL', async () => {
    const answer = await gatehouse.http.get(`/api/v1/products?auth_token=${key.secret}`);

    expect(answer.status).toBe(200);
    expect(namesOf(answer)).toHaveLength(2);
  });

  it('is read in the one space that a publishable key is restricted to', async () => {
    const [one, two] = [
      await createSpace(gatehouse, tenant, 'Yard one'),
      await createSpace(gatehouse, tenant, 'Yard two'),
    ];
    await createProducts(gatehouse, tenant, [{ ...BARE, name: 'In space one' }], { spaceId: one });
    const scopes = ['products:read'];
    const make = (fields: object) => gatehouse.createKey(tenant, { scopes, ...fields });
    const confined = await make({ kind: 'publishable', spaces: [one] });

    expect(namesOf(await get('', confined))).toEqual(['In space one']);
    for (const other of [
      await make({ kind: 'publishable', spaces: [one, two] }),
      await make({ kind: 'secret', spaces: [one] }),
    ]) {
      expectProblem(await get('', other), 403, 'forbidden');
      expect(namesOf(await get('', other, { 'X-Bwp-Space': one }))).toEqual(['In space one']);
    }
    expectProblem(await get('', confined, { 'X-Bwp-Space': two }), 403, 'forbidden');
  });

  it.each(['999999', '0', '01', 'x', '%00', '9'.repeat(20)])('is 404 for %s', async (id) => {
    expectProblem(await get(`/${id}`), 404, 'not_found');
  });

  it.each(['post', 'put', 'patch', 'delete'] as const)(
    'cannot be changed by %s',
    async (method) => {
      const all = await gatehouse.createKey(tenant);
      for (const path of ['/api/v1/products', '/api/v1/products/1']) {
        const answer = await gatehouse.http[method](path).set(all.bearer).send({});
        expectProblem(answer, 405, 'method_not_allowed');
      }
    },
  );

  it("shows neither another tenant's, nor another space's, nor those of the other environment", async () => {
    const space = await createSpace(gatehouse, tenant, 'Two');
    const other = await gatehouse.createTenant('other');
    await createProducts(gatehouse, other, [{ ...BARE, name: 'Theirs' }]);
    await createProducts(gatehouse, tenant, [{ ...BARE, name: 'Two' }], { spaceId: space });
    await createProducts(gatehouse, tenant, [{ ...BARE, name: 'Test' }], { environment: 'test' });
    const publishable = (of: Tenant, environment: 'live' | 'test') =>
      createCredential(gatehouse, of, 'publishable', ['products:read'], environment);
    const inTest = await publishable(tenant, 'test');

    expect(namesOf(await get())).toEqual(['Gravel', 'Ready-mix concrete']);
    expect(namesOf(await get('', key, { 'X-Bwp-Space': space }))).toEqual(['Two']);
    expect(namesOf(await get('', inTest))).toEqual(['Test']);
    const theirs = await get('', await publishable(other, 'live'));
    expect(namesOf(theirs)).toEqual(['Theirs']);
    expectProblem(await get(`/${theirs.body.data[0]?.['id' as never]}`), 404, 'not_found');
    await confine(gatehouse, inTest, [space]);
    const defaultSpace = await defaultSpaceOf(gatehouse, tenant);
    expectProblem(await get('', inTest, { 'X-Bwp-Space': defaultSpace }), 403, 'forbidden');
    expect(namesOf(await get('', inTest))).toEqual([]);
  });

  it('shows no deleted product', async () => {
    const gone = await gatehouse.createTenant('gone');
    await createProducts(gatehouse, gone, [BARE]);
    const by = await createCredential(gatehouse, gone, 'publishable', ['products:read']);
    const { id } = (await get('', by)).body.data[0];
    await gatehouse.database.query('UPDATE products SET deleted_at = now() WHERE id = $1', [id]);

    expect((await get('', by)).body.data).toEqual([]);
    expectProblem(await get(`/${id}`, by), 404, 'not_found');
    // Its `sku` is free for another product.
    await createProducts(gatehouse, gone, [{ ...BARE, name: 'Again' }]);
    expect(namesOf(await get('', by))).toEqual(['Again']);
  });
});

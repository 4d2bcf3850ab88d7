import { beforeAll, describe, expect, it } from '@jest/globals';

import { type TestKey } from '../../support/app/app.js';
import { expectInvalid, expectProblem } from '../../support/app/problems.js';
import { postContact } from '../../support/app/contacts.js';
import { useGatehouse } from '../../support/app/use-gatehouse.js';

const CONTACTS = [
  { firstName: 'Ada', lastName: 'Lovelace', type: 'customer' },
  { companyName: 'Ober_Bau 100% GmbH', email: 'office@oberbau.example', type: 'vendor' },
  { firstName: 'Grace', lastName: 'Hopper', email: 'grace@navy.example', type: 'vendor' },
  { companyName: String.raw`Back\slash & Sons`, type: 'supplier' },
];

describe('GET /api/v1/contacts, filtered', () => {
  const gatehouse = useGatehouse();
  let key: TestKey;
  let ids: readonly number[];
  beforeAll(async () => {
    key = await gatehouse.createKey(await gatehouse.createTenant('acme'));
    const created: number[] = [];
    for (const contact of CONTACTS) {
      created.push((await postContact(gatehouse, key, contact)).body.data.id);
    }
    ids = created;
  });

  const list = (query: string) => gatehouse.http.get(`/api/v1/contacts${query}`).set(key.bearer);
  /** The positions in CONTACTS of those listed. */
  const listed = async (query: string) => {
    const answer = await list(query);
    expect(answer.status).toBe(200);
    return answer.body.data.map(({ id }: { id: number }) => ids.indexOf(id));
  };
  const encode = encodeURIComponent;

  it.each([
    ['?type=vendor', [2, 1]],
    ['?type=architect', []],
    ['?search=ADA', [0]],
    ['?search=ada%20love', [0]],
    ['?search=hopp', [2]],
    ['?search=navy.example', [2]],
    ['?search=oberbau', [1]],
    ['?search=vendor', []],
    [`?search=${encode('100%')}`, [1]],
    [`?search=${encode('r_b')}`, [1]],
    [`?search=${encode('%')}`, [1]],
    [`?search=${encode('_')}`, [1]],
    [`?search=${encode('\\')}`, [3]],
    [`?search=${encode("' OR true --")}`, []],
    ['?search=e&type=vendor', [2, 1]],
    ['?search=grace&type=customer', []],
    ['?dateFrom=2000-01-01', [3, 2, 1, 0]],
    ['?dateFrom=2000-01-01&dateTo=9999-12-31&type=supplier', [3]],
    ['?dateTo=2000-01-01', []],
    ['?dateFrom=9999-01-01T00:00:00%2B02:00', []],
  ])('%s lists the matching contacts', async (query, expected) => {
    expect(await listed(query)).toEqual(expected);
  });

  it('includes the days or exact times of dateFrom and dateTo', async () => {
    const { createdAt } = (await list('')).body.data[1] as { createdAt: string };
    const day = createdAt.slice(0, 10);

    expect(await listed(`?dateFrom=${day}&dateTo=${day}`)).toEqual([3, 2, 1, 0]);
    expect(await listed(`?dateFrom=${createdAt}&dateTo=${createdAt}`)).toContain(2);
  });

  it('pages through a filtered list', async () => {
    const first = await list('?type=vendor&limit=1');
    expect(first.body.meta.pagination).toMatchObject({ has_more: true, count: 1 });

    const { cursor } = first.body.meta.pagination;
    expect(await listed(`?type=vendor&limit=1&cursor=${cursor}`)).toEqual([1]);
    expectProblem(await list(`?type=customer&cursor=${cursor}`), 400, 'bad_request');
    expectProblem(await list(`?cursor=${cursor}`), 400, 'bad_request');
  });

  it('continues after a contact that was deleted since its cursor was made', async () => {
    const { body } = await postContact(gatehouse, key, { firstName: 'Late', type: 'city' });
    const { cursor } = (await list('?limit=1')).body.meta.pagination;
    await gatehouse.http.delete(`/api/v1/contacts/${body.data.id}`).set(key.bearer);

    expect(await listed(`?cursor=${cursor}`)).toEqual([3, 2, 1, 0]);
  });

  it.each([
    ['?type=friend', 'type'],
    ['?type=', 'type'],
    ['?search=', 'search'],
    ['?search=%20', 'search'],
    [`?search=${'x'.repeat(201)}`, 'search'],
    ['?dateFrom=yesterday', 'dateFrom'],
    ['?dateFrom=2026-13-01', 'dateFrom'],
    ['?dateFrom=1969-12-31', 'dateFrom'],
    ['?dateTo=9999-12-31T23:59:59-14:00', 'dateTo'],
    ['?dateTo=2026-02-30', 'dateTo'],
    ['?dateTo=2026-01-01T00:00:00', 'dateTo'],
  ])('%s is invalid', async (query, field) => {
    expectInvalid(await list(query), [field]);
  });

  it('refuses a repeated filter', async () => {
    expectInvalid(await list('?type=vendor&type=customer'), ['type']);
  });

  describe('in a space with more contacts than one page of a search reads', () => {
    it('returns has_more, and finds a later match by its cursor', async () => {
      const tenant = await gatehouse.createTenant('large');
      const owner = await gatehouse.createKey(tenant);
      const needle = await postContact(gatehouse, owner, { firstName: 'Needle', type: 'other' });
      await gatehouse.database.query(
        `INSERT INTO contacts (tenant_id, environment, space_id, type)
         SELECT tenant_id, 'live', id, 'other' FROM spaces, generate_series(1, 10000)
         WHERE tenant_id = $1`,
        [tenant.id],
      );
      const search = (cursor = '') =>
        gatehouse.http.get(`/api/v1/contacts?search=needle${cursor}`).set(owner.bearer);

      const first = await search();
      expect(first.body).toMatchObject({
        data: [],
        meta: { pagination: { has_more: true, count: 0 } },
      });
      const second = await search(`&cursor=${first.body.meta.pagination.cursor}`);
      expect(second.body).toMatchObject({
        data: [{ id: needle.body.data.id }],
        meta: { pagination: { has_more: false, cursor: null } },
      });
    });
  });
});

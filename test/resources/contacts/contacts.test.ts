import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import { type TestKey } from '../../support/app/app.js';
import { countContacts, postContact } from '../../support/app/contacts.js';
import { expectInvalid, expectProblem } from '../../support/app/problems.js';
import { createSpace } from '../../support/app/spaces.js';
import { useGatehouse } from '../../support/app/use-gatehouse.js';

interface Contact {
  readonly id: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

const FULL = {
  firstName: 'Ada',
  lastName: 'Lovelace',
  companyName: 'Analytical Engines',
  email: 'ada@example.com',
  phone: '+44 20 7946 0000',
  type: 'general_contractor',
};
const TYPES = [
  'customer',
  'general_contractor',
  'architect',
  'city',
  'hoa',
  'vendor',
  'subcontractor',
  'supplier',
  'employee',
  'partner',
  'other',
];
const INVALID: readonly (readonly [string, unknown])[] = [
  ...(['firstName', 'lastName', 'companyName'] as const).flatMap(
    (member) =>
      [
        [member, ''],
        [member, '  '],
        [member, 5],
        [member, 'x'.repeat(201)],
      ] as const,
  ),
  ['email', 'ada'],
  ['email', 'ada@'],
  ['email', `${'x'.repeat(320)}@example.com`],
  ['phone', 'x'.repeat(51)],
  ['phone', 123],
  ['type', 'friend'],
  ['type', null],
  ['type', 'Customer'],
  ['id', 5],
  ['createdAt', '2026-01-01T00:00:00Z'],
  ['tenantId', 'tnt_x'],
  ['deletedAt', null],
];

describe('/api/v1/contacts', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let key: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    key = await gatehouse.createKey(tenant);
  });

  const create = async (fields: object = FULL, by = key): Promise<Contact> => {
    const answer = await postContact(gatehouse, by, fields);
    expect(answer.status).toBe(201);
    return answer.body.data;
  };
  const show = (id: number | string, by = key) =>
    gatehouse.http.get(`/api/v1/contacts/${id}`).set(by.bearer);
  const patch = (id: number | string, body: object, by = key) =>
    gatehouse.http.patch(`/api/v1/contacts/${id}`).set(by.bearer).send(body);
  const remove = (id: number | string, by = key) =>
    gatehouse.http.delete(`/api/v1/contacts/${id}`).set(by.bearer);

  describe('POST', () => {
    it('creates a contact with all members', async () => {
      const answer = await postContact(gatehouse, key, FULL);

      expect(answer.status).toBe(201);
      expect(answer.body).toEqual({
        data: {
          id: expect.any(Number),
          ...FULL,
          createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
          updatedAt: answer.body.data.createdAt,
        },
        meta: { request_id: answer.headers['x-request-id'] },
      });
      expect((await show(answer.body.data.id)).body.data).toEqual(answer.body.data);
    });

    it('needs only the type: the other members are null', async () => {
      expect(await create({ type: 'other', phone: null })).toMatchObject({
        firstName: null,
        lastName: null,
        companyName: null,
        email: null,
        phone: null,
        type: 'other',
      });
    });

    it.each(TYPES)('accepts the type %s', async (type) => {
      expect(await create({ type })).toMatchObject({ type });
    });

    it('needs the type', async () => {
      expectInvalid(await postContact(gatehouse, key, { firstName: 'Ada' }), ['type']);
    });

    it.each(INVALID)('refuses %s: %j, and creates nothing', async (member, value) => {
      const before = await countContacts(gatehouse);

      expectInvalid(await postContact(gatehouse, key, { ...FULL, [member]: value }), [member]);
      expect(await countContacts(gatehouse)).toBe(before);
    });
  });

  describe('GET', () => {
    it('lists the newest first', async () => {
      const first = await create();
      const second = await create();

      const answer = await gatehouse.http.get('/api/v1/contacts?limit=2').set(key.bearer);

      expect(answer.body.data).toEqual([second, first]);
    });

    it.each(['999999', '0', '-1', '01', '1.0', '1e3', 'x', '9'.repeat(20), '%00', "1'"])(
      'is 404 for %s',
      async (id) => {
        expectProblem(await show(id), 404, 'not_found');
        expectProblem(await patch(id, { type: 'other' }), 404, 'not_found');
        expectProblem(await remove(id), 404, 'not_found');
      },
    );
  });

  describe('PATCH', () => {
    it.each(Object.keys(FULL).filter((member) => member !== 'type'))(
      'clears %s with null, and keeps the other members',
      async (member) => {
        const before = await create();

        const answer = await patch(before.id, { [member]: null });

        expect(answer.status).toBe(200);
        expect(answer.body.data).toEqual({
          ...before,
          [member]: null,
          updatedAt: expect.any(String),
        });
        expect((await show(before.id)).body.data).toEqual(answer.body.data);
      },
    );

    it('sets the given members and updatedAt', async () => {
      const before = await create();

      const { data } = (await patch(before.id, { firstName: ' Eve ', type: 'vendor' })).body;

      expect(data).toMatchObject({ firstName: 'Eve', type: 'vendor', lastName: 'Lovelace' });
      expect(data.createdAt).toBe(before.createdAt);
      expect(Date.parse(data.updatedAt)).toBeGreaterThan(Date.parse(before.updatedAt));
    });

    it.each(INVALID)('refuses %s: %j, and changes nothing', async (member, value) => {
      const before = await create();

      expectInvalid(await patch(before.id, { lastName: 'King', [member]: value }), [member]);
      expect((await show(before.id)).body.data).toEqual(before);
    });
  });

  describe('DELETE', () => {
    it('is soft: the contact is not found, and its row stays', async () => {
      const { id } = await create();

      await remove(id).expect(204, '');

      expectProblem(await show(id), 404, 'not_found');
      expectProblem(await patch(id, { type: 'other' }), 404, 'not_found');
      expectProblem(await remove(id), 404, 'not_found');
      const list = await gatehouse.http.get('/api/v1/contacts?limit=100').set(key.bearer);
      expect(list.body.data.map((contact: { id: unknown }) => contact.id)).not.toContain(id);
      const rows = await gatehouse.database.query(
        'SELECT first_name, deleted_at IS NOT NULL AS gone FROM contacts WHERE id = $1',
        [id],
      );
      expect(rows).toEqual([{ first_name: 'Ada', gone: true }]);
    });

    it('needs contacts:delete, which contacts:write does not include', async () => {
      const writer = await gatehouse.createKey(tenant, {
        scopes: ['contacts:read', 'contacts:write'],
      });
      const { id } = await create(FULL, writer);

      expectProblem(await remove(id, writer), 403, 'scope_insufficient');
      await show(id, writer).expect(200);
    });
  });

  describe('isolation', () => {
    it('hides contacts of other tenants and of the other environment', async () => {
      const { id } = await create();
      const stranger = await gatehouse.createKey(await gatehouse.createTenant('other'));
      const test = await gatehouse.createKey(tenant, { environment: 'test' });
      for (const by of [stranger, test]) {
        expectProblem(await show(id, by), 404, 'not_found');
        expectProblem(await patch(id, { type: 'other' }, by), 404, 'not_found');
        expectProblem(await remove(id, by), 404, 'not_found');
        const list = await gatehouse.http.get('/api/v1/contacts').set(by.bearer);
        expect(list.body.data).toEqual([]);
      }
      await show(id).expect(200);
    });

    it('hides contacts of other spaces', async () => {
      const other = { 'X-Bwp-Space': await createSpace(gatehouse, tenant, 'Two') };
      const { id } = await create();
      const there = (await postContact(gatehouse, key, FULL, other)).body.data.id;

      for (const [inside, headers] of [
        [there, {}],
        [id, other],
      ] as const) {
        expectProblem(await show(inside).set(headers), 404, 'not_found');
        expectProblem(await patch(inside, { type: 'other' }).set(headers), 404, 'not_found');
        expectProblem(await remove(inside).set(headers), 404, 'not_found');
      }
      const list = await gatehouse.http.get('/api/v1/contacts').set({ ...key.bearer, ...other });
      expect(list.body.data).toEqual([{ ...FULL, ...list.body.data[0], id: there }]);
      await show(there).set(other).expect(200);
      await show(id).expect(200);
    });
  });
});

import { beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { createCredential } from '../support/app/credentials.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { confine, createSpace, defaultSpaceOf } from '../support/app/spaces.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const MOST = 1000;
const INVALID: readonly unknown[] = [
  '',
  '  ',
  5,
  null,
  'x'.repeat(101),
  'a\0b',
  '\ud800',
  `bwp_live_${'a'.repeat(49)}`,
];

describe('/api/v1/spaces', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let key: TestKey;
  beforeEach(async () => {
    tenant = await gatehouse.createTenant(`tenant-${randomUUID()}`);
    key = await gatehouse.createKey(tenant, { scopes: ['spaces:manage'] });
  });

  const list = (query = '', by = key) =>
    gatehouse.http.get(`/api/v1/spaces${query}`).set(by.bearer);
  const post = (body: object, by = key) =>
    gatehouse.http.post('/api/v1/spaces').set(by.bearer).send(body);
  const show = (id: string, by = key) => gatehouse.http.get(`/api/v1/spaces/${id}`).set(by.bearer);
  const rename = (id: string, name: unknown, by = key) =>
    gatehouse.http.patch(`/api/v1/spaces/${id}`).set(by.bearer).send({ name });
  const namesIn = async (by = key): Promise<string[]> =>
    (await list('?limit=100', by).expect(200)).body.data.map(({ name }: { name: string }) => name);
  const audited = () =>
    gatehouse.database.query(
      `SELECT action, actor, subject, details, request_id FROM audit_log
       WHERE tenant_id = $1 AND action LIKE 'space.%' ORDER BY id`,
      [tenant.id],
    );
  /** Creates spaces up to a number. */
  const fillTo = (count: number) =>
    gatehouse.database.query(
      `INSERT INTO spaces (id, tenant_id, name, is_default)
       SELECT 'spc_' || $1 || n, $1, 'No ' || n, false FROM generate_series(2, $2::int) AS n`,
      [tenant.id, count],
    );

  describe('POST', () => {
    it('creates a space, with an audit entry', async () => {
      const answer = await post({ name: ' East yard ' });

      expect(answer.status).toBe(201);
      const { id } = answer.body.data;
      expect(answer.body.data).toEqual({
        id: expect.stringMatching(/^spc_[0-9A-Z]{26}$/),
        name: 'East yard',
        isDefault: false,
        externalId: null,
        metadata: {},
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      });
      expect((await show(id)).body.data).toEqual(answer.body.data);
      expect(await audited()).toEqual([
        {
          action: 'space.create',
          actor: key.id,
          subject: id,
          details: { name: 'East yard' },
          request_id: answer.headers['x-request-id'],
        },
      ]);
    });

    it.each(INVALID)('refuses the name %j', async (name) => {
      expectInvalid(await post({ name }), ['name']);
      expect(await namesIn()).toEqual(['Default']);
    });

    it('accepts the member name only', async () => {
      expectInvalid(await post({}), ['name']);
      expectInvalid(await post({ name: 'x', isDefault: true, id: 'spc_x' }), ['id', 'isDefault']);
    });

    it('is 409 for a name that is taken, ignoring case', async () => {
      await post({ name: 'Zürich' }).expect(201);

      for (const name of ['Zürich', 'ZÜRICH', 'default']) {
        const answer = await post({ name });
        expectProblem(answer, 409, 'conflict');
        // It may be a secret that was put into the wrong field.
        expect(answer.text).not.toContain(name);
      }
      expect(await namesIn()).toEqual(['Zürich', 'Default']);
      expect(await audited()).toHaveLength(1);
    });

    it('lets one of many concurrent requests have a name', async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => post({ name: 'Yard' })));

      const statuses = answers.map(({ status }) => status).toSorted();
      expect(statuses).toEqual([201, ...Array.from({ length: 7 }, () => 409)]);
      expect(await namesIn()).toEqual(['Yard', 'Default']);
    });

    it(`is 409 beyond ${MOST}, also under concurrency`, async () => {
      await fillTo(MOST - 2);

      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, index) => post({ name: `Another ${index}` })),
      );

      const created = answers.filter(({ status }) => status === 201);
      expect(created).toHaveLength(2);
      for (const answer of answers.filter(({ status }) => status !== 201)) {
        expectProblem(answer, 409, 'conflict');
        expect(answer.body.detail).toContain(String(MOST));
      }
      const neighbour = await gatehouse.createKey(await gatehouse.createTenant(randomUUID()));
      await post({ name: 'Another' }, neighbour).expect(201);
    });
  });

  describe('GET', () => {
    it('lists the newest first, page by page', async () => {
      for (const name of ['One', 'Two', 'Three', 'Four'])
        await createSpace(gatehouse, tenant, name);

      const first = await list('?limit=2');
      const second = await list(`?limit=3&cursor=${first.body.meta.pagination.cursor}`);

      const names = [first, second].map(({ body }) =>
        body.data.map(({ name }: { name: string }) => name),
      );
      expect(names).toEqual([
        ['Four', 'Three'],
        ['Two', 'One', 'Default'],
      ]);
      expect(second.body.meta.pagination).toEqual({ cursor: null, has_more: false, count: 3 });
      expect(second.body.data.at(-1)).toMatchObject({ isDefault: true });
    });

    it('shows each space with the members of the answer for one, in their order, whatever they hold', async () => {
      await post({ name: 'Straße "7" \\ 🙂', externalId: 'crm "7"', metadata: { plan: 'pro …' } });
      await post({ name: 'Plain' });
      const expectSame = async () => {
        const { body } = await list().expect(200);
        expect(body.data).toHaveLength(3);
        for (const space of body.data as { id: string }[]) {
          const one = await show(space.id).expect(200);
          expect(JSON.stringify(space)).toBe(JSON.stringify(one.body.data));
        }
      };
      await expectSame();

      // Such a text could be taken for the end of a value.
      await gatehouse.database.query(
        `UPDATE spaces SET name = E'a\\x1fb\\x1e' WHERE name = 'Plain'`,
      );
      await expectSame();
    });

    it("refuses another tenant's cursor", async () => {
      await createSpace(gatehouse, tenant, 'Two');
      const { cursor } = (await list('?limit=1')).body.meta.pagination;
      const stranger = await gatehouse.createKey(await gatehouse.createTenant(randomUUID()));

      expectProblem(await list(`?cursor=${cursor}`, stranger), 400, 'bad_request');
    });

    it.each(['spc_01ARZ3NDEKTSV4RRFFQ69G5FAV', 'x', '1', '%00', "spc_'"])(
      'is 404 for %s',
      async (id) => {
        expectProblem(await show(id), 404, 'not_found');
        expectProblem(await rename(id, 'Another'), 404, 'not_found');
      },
    );

    it("is 404 for another tenant's", async () => {
      const other = await gatehouse.createTenant(randomUUID());
      const theirs = await createSpace(gatehouse, other, 'Theirs');

      expectProblem(await show(theirs), 404, 'not_found');
      expectProblem(await rename(theirs, 'Ours'), 404, 'not_found');
      expect(await namesIn(await gatehouse.createKey(other))).toEqual(['Theirs', 'Default']);
    });
  });

  describe('PATCH', () => {
    it('renames a space, the default one too, with an audit entry', async () => {
      const id = await defaultSpaceOf(gatehouse, tenant);

      const answer = await rename(id, 'Head office');

      expect(answer.status).toBe(200);
      expect(answer.body.data).toMatchObject({ id, name: 'Head office', isDefault: true });
      expect((await show(id)).body.data).toEqual(answer.body.data);
      expect(await audited()).toMatchObject([
        {
          action: 'space.rename',
          actor: key.id,
          subject: id,
          details: {
            before: 'Default',
            after: 'Head office',
          },
        },
      ]);
    });

    it('may change the case of a name, and writes no audit entry without a change', async () => {
      const id = await createSpace(gatehouse, tenant, 'Yard');

      expect((await rename(id, 'YARD')).body.data).toMatchObject({ name: 'YARD' });
      await rename(id, 'YARD').expect(200);

      expect(await audited()).toHaveLength(1);
    });

    it.each(INVALID)('refuses the name %j', async (name) => {
      const id = await createSpace(gatehouse, tenant, 'Yard');

      expectInvalid(await rename(id, name), ['name']);
      expect(await namesIn()).toEqual(['Yard', 'Default']);
    });

    it('is 409 for a name that is taken, ignoring case', async () => {
      const id = await createSpace(gatehouse, tenant, 'Yard');

      expectProblem(await rename(id, 'DEFAULT'), 409, 'conflict');
      expect(await namesIn()).toEqual(['Yard', 'Default']);
    });

    it('lets one of two concurrent renames have a name', async () => {
      const [one, two] = [
        await createSpace(gatehouse, tenant, 'One'),
        await createSpace(gatehouse, tenant, 'Two'),
      ];

      const answers = await Promise.all([rename(one, 'Yard'), rename(two, 'yard')]);

      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
    });
  });

  describe('with a credential that is restricted to some', () => {
    let inside: string;
    let outside: string;
    let confined: TestKey;
    beforeEach(async () => {
      inside = await createSpace(gatehouse, tenant, 'Inside');
      outside = await createSpace(gatehouse, tenant, 'Outside');
      confined = await gatehouse.createKey(tenant, { scopes: ['spaces:manage'] });
      await confine(gatehouse, confined, [inside]);
    });

    it('shows and renames only those', async () => {
      expect(await namesIn(confined)).toEqual(['Inside']);
      await show(inside, confined).expect(200);
      await rename(inside, 'Within', confined).expect(200);

      for (const id of [outside, await defaultSpaceOf(gatehouse, tenant)]) {
        expectProblem(await show(id, confined), 404, 'not_found');
        expectProblem(await rename(id, 'Another', confined), 404, 'not_found');
      }
      expect(await namesIn()).toEqual(['Outside', 'Within', 'Default']);
    });

    it('creates no space', async () => {
      expectProblem(await post({ name: 'Another' }, confined), 403, 'forbidden');
      expect(await namesIn()).not.toContain('Another');
    });

    it('shows no space to a credential with an empty list', async () => {
      await confine(gatehouse, confined, []);

      expect(await namesIn(confined)).toEqual([]);
      expectProblem(await show(inside, confined), 404, 'not_found');
    });
  });

  it('admits organization keys and personal tokens', async () => {
    for (const kind of ['organization', 'personal'] as const) {
      const by = await createCredential(gatehouse, tenant, kind, ['spaces:manage']);
      await post({ name: kind }, by).expect(201);
    }
    expect(await namesIn()).toEqual(['personal', 'organization', 'Default']);
  });
});

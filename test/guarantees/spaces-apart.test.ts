import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';

import { createContactStore } from '../../src/resources/contacts/contact-store.js';
import type { ContactFields } from '../../src/resources/contacts/contact.js';
import { newProduct } from '../../src/resources/products/product-schema.js';
import { createProductStore } from '../../src/resources/products/product-store.js';
import type { SpaceContext } from '../../src/spaces/space-context.js';
import { createSpace, defaultSpaceOf } from '../support/app/spaces.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const ALL = { limit: 100, after: undefined };

/** A member of each row of a page. */
function membersOf(page: { readonly rows: readonly { readonly json: string }[] }, name: string) {
  return page.rows.map(({ json }) => (JSON.parse(json) as Record<string, unknown>)[name]);
}

/** Every operation of every store whose rows belong to spaces, run in one context beside all that differ from it. */
describe('every store of a resource keeps tenants, environments and spaces apart', () => {
  const gatehouse = useGatehouse();
  let manager: EntityManager;
  beforeAll(async () => {
    manager = gatehouse.dataSource.manager;
  });

  const snapshot = () => gatehouse.database.query(`SELECT * FROM contacts ORDER BY 1, 2`);

  let ownContext: SpaceContext;
  let elsewhere: readonly (readonly [string, SpaceContext])[];
  beforeEach(async () => {
    const ours = await gatehouse.createTenant(`ours-${randomUUID()}`);
    const theirs = await gatehouse.createTenant(`theirs-${randomUUID()}`);
    const secondSpace = await createSpace(gatehouse, ours, 'Two');
    ownContext = {
      tenantId: ours.id,
      environment: 'live',
      spaceId: await defaultSpaceOf(gatehouse, ours),
    };
    const theirSpace = await defaultSpaceOf(gatehouse, theirs);
    elsewhere = [
      ['tenant', { ...ownContext, tenantId: theirs.id, spaceId: theirSpace }],
      ['tenant, named with our space', { ...ownContext, tenantId: theirs.id }],
      ['environment', { ...ownContext, environment: 'test' }],
      ['space', { ...ownContext, spaceId: secondSpace }],
      ['space of another tenant', { ...ownContext, spaceId: theirSpace }],
    ];
  });

  describe('contacts', () => {
    const FIELDS: ContactFields = {
      firstName: 'Ada',
      lastName: null,
      companyName: null,
      email: null,
      phone: null,
      type: 'customer',
    };
    it('has no operation without a case here', () => {
      expect(Object.keys(createContactStore(manager)).toSorted()).toEqual([
        'create',
        'delete',
        'find',
        'list',
        'update',
      ]);
    });

    it('are listed to each of many that ask at the same time', async () => {
      const store = createContactStore(manager);
      const contexts = [ownContext, ...elsewhere.map(([, context]) => context)];
      const names = contexts.map((_, index) => [`older ${index}`, `newer ${index}`]);
      // Read row by row, since the page as one text cannot hold it.
      names[2] = ['older\u001F2', '\u001Enewer 2'];
      for (const [index, context] of contexts.entries()) {
        for (const firstName of names[index] ?? []) {
          await store.create(context, { ...FIELDS, firstName });
        }
      }
      const newest = contexts.map((context) => store.list(context, { limit: 1, after: undefined }));
      const ids = (await Promise.all(newest)).map(({ rows }) => Number(rows[0]?.id));
      const asked = Array.from({ length: 60 }, (_, at) => at % contexts.length);
      const answers = asked.map(async (index) => {
        const context = contexts[index] as SpaceContext;
        const [all, further, one] = await Promise.all([
          store.list(context, ALL),
          store.list(context, { limit: 100, after: ids[index] }),
          store.list(context, ALL, { type: 'vendor' }),
        ]);
        expect(membersOf(all, 'firstName')).toEqual(names[index]?.toReversed());
        expect(membersOf(further, 'firstName')).toEqual(names[index]?.slice(0, 1));
        expect(one.rows).toEqual([]);
      });
      await Promise.all(answers);
    });

    it('fail one by one if the database refuses a value', async () => {
      const store = createContactStore(manager);
      await store.create(ownContext, FIELDS);
      const refused = store.list({ ...ownContext, tenantId: '\0' }, ALL);
      const answered = store.list(ownContext, ALL);
      await expect(refused).rejects.toMatchObject({ code: '22021' });
      expect((await answered).rows).toHaveLength(1);
    });

    it('are found, listed, changed and deleted only where they were created', async () => {
      const store = createContactStore(manager);
      const own = await store.create(ownContext, FIELDS);
      const id = Number(own.id);
      const before = await snapshot();
      for (const [what, context] of elsewhere) {
        expect([what, await store.find(context, id)]).toEqual([what, undefined]);
        expect([what, (await store.list(context, ALL)).rows]).toEqual([what, []]);
        expect([what, await store.update(context, id, { type: 'vendor' })]).toEqual([
          what,
          undefined,
        ]);
        expect([what, await store.delete(context, id)]).toEqual([what, false]);
      }
      expect(await snapshot()).toEqual(before);

      expect((await store.list(ownContext, ALL)).rows.map((contact) => contact.id)).toEqual([id]);
      expect(await store.update(ownContext, id, { type: 'vendor' })).toMatchObject({
        type: 'vendor',
      });
      expect(await store.delete(ownContext, id)).toBe(true);
      expect(await store.find(ownContext, id)).toBeUndefined();
    });

    it('keep rows of another context untouched', async () => {
      const store = createContactStore(manager);
      const own = await store.create(ownContext, FIELDS);
      const [, context] = elsewhere[0] ?? ['', ownContext];
      const other = await store.create(context, FIELDS);

      await store.update(context, Number(other.id), { firstName: 'Eve' });
      await store.delete(context, Number(other.id));

      expect(await store.find(ownContext, Number(own.id))).toEqual(own);
    });
  });

  describe('products', () => {
    const product = (name: string) => newProduct.parse({ name, sku: 'A-1' });
    const namesIn = async (context: SpaceContext) =>
      membersOf(await createProductStore(manager).list(context, ALL), 'name');

    it('has no operation without a case here', () => {
      expect(Object.keys(createProductStore(manager)).toSorted()).toEqual([
        'find',
        'list',
        'upsert',
      ]);
    });

    it('are found, listed and altered only where they were created', async () => {
      const store = createProductStore(manager);
      await store.upsert(ownContext, [product('Ours')]);
      const [own] = (await store.list(ownContext, ALL)).rows;
      const id = Number(own?.id);
      for (const [what, context] of elsewhere) {
        expect([what, await store.find(context, id)]).toEqual([what, undefined]);
        expect([what, await namesIn(context)]).toEqual([what, []]);
      }
      for (const [what, context] of elsewhere) {
        // Under the same number, which is each context's own.
        const counts = await store.upsert(context, [product(what)]);
        expect([what, counts]).toEqual([what, { created: 1, updated: 0 }]);
        expect(await namesIn(context)).toEqual([what]);
      }

      expect({ ...(await store.find(ownContext, id)), id }).toEqual(JSON.parse(own?.json ?? ''));
      expect(await store.upsert(ownContext, [product('Renamed')])).toEqual({
        created: 0,
        updated: 1,
      });
      expect(await namesIn(ownContext)).toEqual(['Renamed']);
      for (const [what, context] of elsewhere) expect(await namesIn(context)).toEqual([what]);
    });
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';

import { createContactStore } from '../../src/contacts/contact-store.js';
import type { ContactFields } from '../../src/contacts/contact.js';
import { newProduct } from '../../src/products/product-schema.js';
import { createProductStore } from '../../src/products/product-store.js';
import type { Place } from '../../src/spaces/place.js';
import { createTestApp, type TestApp } from '../support/app.js';
import { createSpace, defaultSpaceOf } from '../support/spaces.js';

const ALL = { limit: 100, after: undefined };

/** Every operation of every store whose rows live in places, run in one beside all that differ from it. */
describe('every store of a resource keeps tenants, environments and spaces apart', () => {
  let gatehouse: TestApp;
  let manager: EntityManager;
  beforeAll(async () => {
    gatehouse = await createTestApp();
    manager = gatehouse.dataSource.manager;
  });
  afterAll(() => gatehouse.close());

  const snapshot = () => gatehouse.database.query(`SELECT * FROM contacts ORDER BY 1, 2`);

  let ownPlace: Place;
  let elsewhere: readonly (readonly [string, Place])[];
  beforeEach(async () => {
    const ours = await gatehouse.createTenant(`ours-${randomUUID()}`);
    const theirs = await gatehouse.createTenant(`theirs-${randomUUID()}`);
    const secondSpace = await createSpace(gatehouse, ours, 'Two');
    ownPlace = {
      ...{ tenantId: ours.id, environment: 'live' },
      spaceId: await defaultSpaceOf(gatehouse, ours),
    };
    const theirSpace = await defaultSpaceOf(gatehouse, theirs);
    elsewhere = [
      ['tenant', { ...ownPlace, tenantId: theirs.id, spaceId: theirSpace }],
      ['tenant, named with our space', { ...ownPlace, tenantId: theirs.id }],
      ['environment', { ...ownPlace, environment: 'test' }],
      ['space', { ...ownPlace, spaceId: secondSpace }],
      ['space of another tenant', { ...ownPlace, spaceId: theirSpace }],
    ];
  });

  describe('contacts', () => {
    const FIELDS: ContactFields = {
      ...{ firstName: 'Ada', lastName: null, companyName: null, email: null, phone: null },
      type: 'customer',
    };
    it('has no operation that is not exercised here', () => {
      expect(Object.keys(createContactStore(manager)).toSorted()).toEqual([
        ...['create', 'delete', 'find', 'list', 'update'],
      ]);
    });

    it('are found, listed, changed and deleted only where they were created', async () => {
      const store = createContactStore(manager);
      const own = await store.create(ownPlace, FIELDS);
      const id = Number(own.id);
      const before = await snapshot();
      for (const [what, place] of elsewhere) {
        expect([what, await store.find(place, id)]).toEqual([what, undefined]);
        expect([what, (await store.list(place, ALL)).rows]).toEqual([what, []]);
        expect([what, await store.update(place, id, { type: 'vendor' })]).toEqual([
          what,
          undefined,
        ]);
        expect([what, await store.delete(place, id)]).toEqual([what, false]);
      }
      expect(await snapshot()).toEqual(before);

      expect((await store.list(ownPlace, ALL)).rows.map((contact) => contact.id)).toEqual([own.id]);
      expect(await store.update(ownPlace, id, { type: 'vendor' })).toMatchObject({
        type: 'vendor',
      });
      expect(await store.delete(ownPlace, id)).toBe(true);
      expect(await store.find(ownPlace, id)).toBeUndefined();
    });

    it('of one place leave those of another untouched', async () => {
      const store = createContactStore(manager);
      const own = await store.create(ownPlace, FIELDS);
      const [, place] = elsewhere[0] ?? ['', ownPlace];
      const other = await store.create(place, FIELDS);

      await store.update(place, Number(other.id), { firstName: 'Eve' });
      await store.delete(place, Number(other.id));

      expect(await store.find(ownPlace, Number(own.id))).toEqual(own);
    });
  });

  describe('products', () => {
    const product = (name: string) => newProduct.parse({ name, sku: 'A-1' });
    const namesIn = async (place: Place) =>
      (await createProductStore(manager).list(place, ALL)).rows.map(({ name }) => name);

    it('has no operation that is not exercised here', () => {
      expect(Object.keys(createProductStore(manager)).toSorted()).toEqual([
        ...['find', 'list', 'upsert'],
      ]);
    });

    it('are found, listed and altered only where they were created', async () => {
      const store = createProductStore(manager);
      await store.upsert(ownPlace, [product('Ours')]);
      const [own] = (await store.list(ownPlace, ALL)).rows;
      const id = Number(own?.id);
      for (const [what, place] of elsewhere) {
        expect([what, await store.find(place, id)]).toEqual([what, undefined]);
        expect([what, await namesIn(place)]).toEqual([what, []]);
      }
      for (const [what, place] of elsewhere) {
        // Under the same number, which is each place's own.
        const counts = await store.upsert(place, [product(what)]);
        expect([what, counts]).toEqual([what, { created: 1, updated: 0 }]);
        expect(await namesIn(place)).toEqual([what]);
      }

      expect(await store.find(ownPlace, id)).toEqual(own);
      expect(await store.upsert(ownPlace, [product('Renamed')])).toEqual({
        created: 0,
        updated: 1,
      });
      expect(await namesIn(ownPlace)).toEqual(['Renamed']);
      for (const [what, place] of elsewhere) expect(await namesIn(place)).toEqual([what]);
    });
  });
});

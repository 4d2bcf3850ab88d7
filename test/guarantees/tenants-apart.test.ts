import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';

import { createAccountStore } from '../../src/accounts/account-store.js';
import {
  createContactStore,
  type ContactFields,
  type ContactPlace,
} from '../../src/contacts/contact-store.js';
import { createCredentialStore } from '../../src/credentials/credential-store.js';
import { createId } from '../../src/db/id.js';
import { Space } from '../../src/tenants/space.entity.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTenantStore } from '../../src/tenants/tenant-store.js';
import { createTestApp, type TestApp } from '../support/app.js';
import { createCredential } from '../support/credentials.js';

const ALL = { limit: 100, after: undefined };

/** Every operation of every store, run for one tenant beside another that holds the same. */
describe('every store keeps tenants apart, and live from test', () => {
  let gatehouse: TestApp;
  let manager: EntityManager;
  let ours: Tenant;
  let theirs: Tenant;
  beforeAll(async () => {
    gatehouse = await createTestApp();
    manager = gatehouse.dataSource.manager;
  });
  afterAll(() => gatehouse.close());
  beforeEach(async () => {
    ours = await gatehouse.createTenant(`ours-${randomUUID()}`);
    theirs = await gatehouse.createTenant(`theirs-${randomUUID()}`);
  });

  const spaceOf = async ({ id }: Tenant): Promise<string> =>
    (await createTenantStore(manager).findDefaultSpace(id))?.id ?? '';
  const snapshot = (table: string) =>
    gatehouse.database.query(`SELECT * FROM ${table} ORDER BY 1, 2`);

  describe('contacts', () => {
    const FIELDS: ContactFields = {
      ...{ firstName: 'Ada', lastName: null, companyName: null, email: null, phone: null },
      type: 'customer',
    };
    let ownPlace: ContactPlace;
    let elsewhere: readonly (readonly [string, ContactPlace])[];
    beforeEach(async () => {
      const tenantId = ours.id;
      const secondSpace = createId('spc');
      await manager.insert(Space, { id: secondSpace, tenantId, name: 'Two', isDefault: false });
      ownPlace = { tenantId, environment: 'live', spaceId: await spaceOf(ours) };
      const theirSpace = await spaceOf(theirs);
      elsewhere = [
        ['tenant', { ...ownPlace, tenantId: theirs.id, spaceId: theirSpace }],
        ['tenant, named with our space', { ...ownPlace, tenantId: theirs.id }],
        ['environment', { ...ownPlace, environment: 'test' }],
        ['space', { ...ownPlace, spaceId: secondSpace }],
        ['space of another tenant', { ...ownPlace, spaceId: theirSpace }],
      ];
    });

    it('has no operation that is not exercised here', () => {
      expect(Object.keys(createContactStore(manager)).toSorted()).toEqual([
        ...['create', 'delete', 'find', 'list', 'update'],
      ]);
    });

    it('are found, listed, changed and deleted only where they were created', async () => {
      const store = createContactStore(manager);
      const own = await store.create(ownPlace, FIELDS);
      const id = Number(own.id);
      const before = await snapshot('contacts');
      for (const [what, place] of elsewhere) {
        expect([what, await store.find(place, id)]).toEqual([what, undefined]);
        expect([what, await store.list(place, ALL)]).toEqual([what, []]);
        expect([what, await store.update(place, id, { type: 'vendor' })]).toEqual([
          what,
          undefined,
        ]);
        expect([what, await store.delete(place, id)]).toEqual([what, false]);
      }
      expect(await snapshot('contacts')).toEqual(before);

      expect((await store.list(ownPlace, ALL)).map((contact) => contact.id)).toEqual([own.id]);
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

  describe('credentials', () => {
    const LIVE = { kinds: ['secret'], environments: ['live'] } as const;
    const TEST = { kinds: ['secret'], environments: ['test'] } as const;

    it('has no operation that is not exercised here', () => {
      expect(Object.keys(createCredentialStore(manager)).toSorted()).toEqual([
        // `insert` takes the tenant in what it inserts; `now` concerns nobody.
        ...[
          'expireWithin',
          'find',
          'findForUpdate',
          'insert',
          'isReplaced',
          'list',
          'now',
          'roleOf',
          'unknownSpaces',
          'update',
        ],
      ]);
    });

    it('are confined to spaces, and made by members, of their own tenant', async () => {
      const store = createCredentialStore(manager);
      const [own, foreign] = [await spaceOf(ours), await spaceOf(theirs)];
      const { principalId } = await createCredential(gatehouse, ours, 'personal', ['leads:read']);

      expect(await store.unknownSpaces(ours.id, [own, foreign])).toEqual([foreign]);
      expect(await store.roleOf(ours.id, principalId)).toBe('company_admin');
      expect(await store.roleOf(theirs.id, principalId)).toBeUndefined();
    });

    it('are found, listed, changed and ended only by their tenant', async () => {
      const own = await gatehouse.createKey(ours);
      await gatehouse.createKey(theirs);
      const before = await snapshot('credentials');
      await gatehouse.dataSource.transaction(async (transaction) => {
        const store = createCredentialStore(transaction);
        expect(await store.find(theirs.id, own.id)).toBeUndefined();
        expect(await store.findForUpdate(theirs.id, own.id)).toBeUndefined();
        await store.update(theirs.id, own.id, { name: 'Theirs' });
        await store.expireWithin(theirs.id, own.id, 1);
        const listed = await store.list(theirs.id, LIVE, ALL);
        expect(listed.map(({ id }) => id)).not.toContain(own.id);
      });
      expect(await snapshot('credentials')).toEqual(before);

      const store = createCredentialStore(manager);
      expect((await store.find(ours.id, own.id))?.id).toBe(own.id);
      await store.update(ours.id, own.id, { name: 'Ours' });
      await store.expireWithin(ours.id, own.id, 60);
      expect(await store.find(ours.id, own.id)).toMatchObject({
        name: 'Ours',
        expiresAt: expect.any(Date),
      });
    });

    it('have successors only within their tenant', async () => {
      const [old, successor] = [await gatehouse.createKey(ours), await gatehouse.createKey(ours)];
      await gatehouse.database.query('UPDATE credentials SET replaces = $1 WHERE id = $2', [
        old.id,
        successor.id,
      ]);
      const store = createCredentialStore(manager);

      expect(await store.isReplaced(ours.id, old.id)).toBe(true);
      expect(await store.isReplaced(theirs.id, old.id)).toBe(false);
    });

    it('are listed by environment', async () => {
      const live = await gatehouse.createKey(ours);
      const test = await gatehouse.createKey(ours, { environment: 'test' });
      const store = createCredentialStore(manager);
      const idsOf = async (filter: typeof LIVE | typeof TEST) =>
        (await store.list(ours.id, filter, ALL)).map(({ id }) => id);

      expect(await idsOf(LIVE)).toEqual([live.id]);
      expect(await idsOf(TEST)).toEqual([test.id]);
    });
  });

  describe('tenants and accounts', () => {
    it('have no operation that is not exercised here', () => {
      expect(Object.keys(createTenantStore(manager)).toSorted()).toEqual([
        // `create`, `find` and `list` are the operator's: they are about tenants themselves.
        ...['create', 'find', 'findDefaultSpace', 'list', 'setSuspended', 'update'],
      ]);
      expect(Object.keys(createAccountStore(manager)).toSorted()).toEqual([
        // Accounts are global: `create`, `find`, `findByEmail`, `rehash` and `setPassword` know no tenant.
        ...['create', 'find', 'findByEmail', 'findMembership', 'join', 'leave', 'listMembers'],
        ...['listMemberships', 'rehash', 'setPassword', 'setRole'],
      ]);
    });

    it('have default spaces of their own', async () => {
      expect(await spaceOf(ours)).not.toBe(await spaceOf(theirs));
    });

    it('are updated and suspended one at a time', async () => {
      const tenants = createTenantStore(manager);

      await tenants.setSuspended(ours.id, true);
      await tenants.update(ours.id, { name: 'Renamed' });

      expect(await tenants.find(theirs.id)).toEqual(theirs);
      expect(await tenants.find(ours.id)).toMatchObject({ name: 'Renamed' });
      expect((await tenants.find(ours.id))?.suspendedAt).not.toBeNull();
    });

    it('list their own members, each in the role they have there', async () => {
      const accounts = createAccountStore(manager);
      const email = `${randomUUID()}@example.com`;
      const both = await accounts.create({ email, name: null, password: 'a long password' });
      await accounts.join(ours.id, both.id, 'viewer');
      await accounts.join(theirs.id, both.id, 'company_admin');

      expect(await accounts.listMembers(ours.id)).toMatchObject([{ id: both.id, role: 'viewer' }]);
      expect(await accounts.listMembers(theirs.id)).toMatchObject([{ role: 'company_admin' }]);
      expect(await accounts.join(ours.id, both.id, 'company_admin')).toBe(false);
      expect(await accounts.listMembers(ours.id)).toMatchObject([{ role: 'viewer' }]);
    });

    it('change and end their own memberships, and no other', async () => {
      const accounts = createAccountStore(manager);
      const create = (name: string) =>
        accounts.create({
          email: `${name}-${randomUUID()}@example.com`,
          name,
          password: 'a password',
        });
      const [both, other, stranger] = [
        await create('both'),
        await create('other'),
        await create('x'),
      ];
      for (const { id } of [ours, theirs]) {
        await accounts.join(id, both.id, 'viewer');
        await accounts.join(id, other.id, 'member');
      }
      const rolesIn = async ({ id }: Tenant) =>
        (await accounts.listMembers(id)).map(({ name, role }) => `${name} ${role}`);

      expect(await accounts.setRole(ours.id, both.id, 'manager')).toBe(true);
      expect(await accounts.setRole(ours.id, stranger.id, 'manager')).toBe(false);
      expect(await rolesIn(ours)).toEqual(['both manager', 'other member']);
      expect(await rolesIn(theirs)).toEqual(['both viewer', 'other member']);
      expect(await accounts.findMembership(ours.id, both.id)).toMatchObject({ role: 'manager' });
      expect(await accounts.findMembership(theirs.id, both.id)).toMatchObject({ role: 'viewer' });

      expect(await accounts.leave(ours.id, both.id)).toBe(true);
      expect(await accounts.leave(ours.id, both.id)).toBe(false);
      expect(await accounts.leave(theirs.id, stranger.id)).toBe(false);
      expect(await accounts.findMembership(ours.id, both.id)).toBeUndefined();
      expect(await rolesIn(ours)).toEqual(['other member']);
      expect(await rolesIn(theirs)).toEqual(['both viewer', 'other member']);
    });

    it('are listed for a member by name, with what has become of them', async () => {
      const accounts = createAccountStore(manager);
      const tenants = createTenantStore(manager);
      const email = `${randomUUID()}@example.com`;
      const { id } = await accounts.create({ email, name: null, password: 'a password' });
      await tenants.update(ours.id, { name: 'Zebra' });
      await tenants.update(theirs.id, { name: 'Aardvark' });
      await tenants.setSuspended(theirs.id, true);
      await accounts.join(ours.id, id, 'viewer');
      await accounts.join(theirs.id, id, 'manager');

      const createdAt = expect.any(Date);
      expect(await accounts.listMemberships(id)).toEqual([
        {
          ...{ tenantId: theirs.id, tenantName: 'Aardvark', tenantSlug: theirs.slug },
          ...{ isTenantSuspended: true, role: 'manager', createdAt },
        },
        {
          ...{ tenantId: ours.id, tenantName: 'Zebra', tenantSlug: ours.slug },
          ...{ isTenantSuspended: false, role: 'viewer', createdAt },
        },
      ]);
    });
  });
});

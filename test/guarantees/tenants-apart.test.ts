import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';

import { createAccountStore } from '../../src/accounts/account-store.js';
import { createCredentialStore } from '../../src/credentials/store/credential-store.js';
import { createSpaceStore } from '../../src/spaces/space-store.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTenantStore } from '../../src/tenants/tenant-store.js';
import { createCredential } from '../support/app/credentials.js';
import { createSpace, defaultSpaceOf } from '../support/app/spaces.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const ALL = { limit: 100, after: undefined };

/** Every operation of every store, run for one tenant beside another that holds the same. */
describe('every store keeps tenants apart, and live from test', () => {
  const gatehouse = useGatehouse();
  let manager: EntityManager;
  let ours: Tenant;
  let theirs: Tenant;
  beforeAll(async () => {
    manager = gatehouse.dataSource.manager;
  });
  beforeEach(async () => {
    ours = await gatehouse.createTenant(`ours-${randomUUID()}`);
    theirs = await gatehouse.createTenant(`theirs-${randomUUID()}`);
  });

  const snapshot = (table: string) =>
    gatehouse.database.query(`SELECT * FROM ${table} ORDER BY 1, 2`);

  describe('spaces', () => {
    it('has no operation without a case here', () => {
      expect(Object.keys(createSpaceStore(manager)).toSorted()).toEqual([
        'annotate',
        'create',
        'find',
        'findDefault',
        'list',
        'listWritten',
        'rename',
      ]);
    });

    it('are found, listed and renamed only by their tenant', async () => {
      const own = await createSpace(gatehouse, ours, 'Two');
      const before = await snapshot('spaces');
      await gatehouse.dataSource.transaction(async (transaction) => {
        const store = createSpaceStore(transaction);
        expect(await store.find(theirs.id, own)).toBeUndefined();
        expect(await store.rename(theirs.id, own, 'Theirs')).toBeUndefined();
        await store.annotate(theirs.id, own, { externalId: 'theirs', metadata: { a: 1 } });
        const listed = await store.list(theirs.id, null, ALL);
        expect(listed.map(({ name }) => name)).toEqual(['Default']);
        expect(await store.list(theirs.id, [own], ALL)).toEqual([]);
        const written = await store.listWritten(theirs.id, ALL);
        expect(written?.map(({ json }) => JSON.parse(json))).toMatchObject([{ name: 'Default' }]);
      });
      expect(await snapshot('spaces')).toEqual(before);

      const store = createSpaceStore(manager);
      expect(await store.find(ours.id, own)).toMatchObject({ name: 'Two', isDefault: false });
      expect(await store.list(ours.id, null, ALL)).toMatchObject([
        { name: 'Two' },
        { name: 'Default' },
      ]);
    });

    it('have defaults, and names, of their own', async () => {
      expect(await defaultSpaceOf(gatehouse, ours)).not.toBe(
        await defaultSpaceOf(gatehouse, theirs),
      );
      const [own, other] = [
        await createSpace(gatehouse, ours, 'Two'),
        await createSpace(gatehouse, theirs, 'Two'),
      ];
      await gatehouse.dataSource.transaction((transaction) =>
        createSpaceStore(transaction).rename(ours.id, own, 'Three'),
      );
      expect(await createSpaceStore(manager).find(theirs.id, other)).toMatchObject({ name: 'Two' });
    });
  });

  describe('credentials', () => {
    const LIVE = { kinds: ['secret'], environments: ['live'] } as const;
    const TEST = { kinds: ['secret'], environments: ['test'] } as const;

    it('has no operation without a case here', () => {
      expect(Object.keys(createCredentialStore(manager)).toSorted()).toEqual([
        // `insert` takes the tenant in what it inserts; `isSignedIn` is about accounts, which are global; `now`
        // concerns nobody.
        'expireWithin',
        'find',
        'findForUpdate',
        'insert',
        'isReplaced',
        'isSignedIn',
        'list',
        'listWritten',
        'now',
        'releaseExternalId',
        'releaseFromEnded',
        'roleOf',
        'unknownSpaces',
        'update',
      ]);
    });

    it('are confined to spaces, and made by members, of their own tenant', async () => {
      const store = createCredentialStore(manager);
      const [own, foreign] = [
        await defaultSpaceOf(gatehouse, ours),
        await defaultSpaceOf(gatehouse, theirs),
      ];
      const { principalId } = await createCredential(gatehouse, ours, 'personal', ['leads:read']);

      expect(await store.unknownSpaces(ours.id, [own, foreign])).toEqual([foreign]);
      expect(await store.roleOf(ours.id, principalId)).toBe('company_admin');
      expect(await store.roleOf(theirs.id, principalId)).toBeUndefined();
    });

    it('are found, listed, changed and ended only by their tenant', async () => {
      const own = await gatehouse.createKey(ours, { externalId: 'own' });
      await gatehouse.createKey(theirs);
      const before = await snapshot('credentials');
      await gatehouse.dataSource.transaction(async (transaction) => {
        const store = createCredentialStore(transaction);
        expect(await store.find(theirs.id, own.id)).toBeUndefined();
        expect(await store.findForUpdate(theirs.id, own.id)).toBeUndefined();
        await store.update(theirs.id, own.id, { name: 'Theirs' });
        await store.expireWithin(theirs.id, own.id, 1);
        await store.releaseExternalId(theirs.id, own.id);
        const listed = await store.list(theirs.id, LIVE, ALL);
        expect(listed.found.map(({ id }) => id)).not.toContain(own.id);
      });
      expect(await snapshot('credentials')).toEqual(before);

      const store = createCredentialStore(manager);
      expect((await store.find(ours.id, own.id))?.id).toBe(own.id);
      await store.update(ours.id, own.id, { name: 'Ours' });
      await store.releaseFromEnded(ours.id, 'own');
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
        (await store.list(ours.id, filter, ALL)).found.map(({ id }) => id);

      expect(await idsOf(LIVE)).toEqual([live.id]);
      expect(await idsOf(TEST)).toEqual([test.id]);
    });

    it('are listed by tenant and environment in one statement for several pages', async () => {
      const live = await gatehouse.createKey(ours);
      const test = await gatehouse.createKey(ours, { environment: 'test' });
      const foreign = await gatehouse.createKey(theirs, { kind: 'agent' });
      const store = createCredentialStore(manager);
      const both = { kinds: ['agent', 'secret'], environments: ['test', 'live'] } as const;
      const pages = await Promise.all(
        [
          store.listWritten(ours.id, LIVE, ALL),
          store.listWritten(theirs.id, both, ALL),
          store.listWritten('tnt_none', both, ALL),
          store.listWritten(ours.id, both, ALL),
          store.listWritten(ours.id, TEST, ALL),
          store.listWritten(ours.id, { kinds: [], environments: ['live'] }, ALL),
        ].map(async (page) =>
          (await page)?.map(({ json }) => (JSON.parse(json) as { id: string }).id),
        ),
      );

      expect(pages).toEqual([[live.id], [foreign.id], [], [test.id, live.id], [test.id], []]);
    });
  });

  describe('tenants and accounts', () => {
    it('have no operation without a case here', () => {
      expect(Object.keys(createTenantStore(manager)).toSorted()).toEqual([
        // All are the operator's, except `update` and `setSuspended`: they are about tenants themselves.
        'create',
        'find',
        'findByExternalId',
        'findForUpdate',
        'list',
        'setSuspended',
        'update',
      ]);
      expect(Object.keys(createAccountStore(manager)).toSorted()).toEqual([
        // Accounts are global: `confirmEmail`, `create`, `createProven`, `find`, `findByEmail`, `findToSignIn`, `hasPassword`
        // and `renewHash` know no tenant.
        'confirmEmail',
        'create',
        'createProven',
        'find',
        'findByEmail',
        'findMembership',
        'findToSignIn',
        'hasPassword',
        'join',
        'leave',
        'listAdministrators',
        'listMembers',
        'listMemberships',
        'renewHash',
        'setRole',
      ]);
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

      expect(await accounts.listMembers(ours.id, { limit: 10 })).toMatchObject([
        { id: both.id, role: 'viewer' },
      ]);
      expect(await accounts.listMembers(theirs.id, { limit: 10 })).toMatchObject([
        { role: 'company_admin' },
      ]);
      expect(await accounts.listAdministrators(ours.id, 3)).toEqual([]);
      expect(await accounts.listAdministrators(theirs.id, 3)).toEqual([email]);
      expect(await accounts.join(ours.id, both.id, 'company_admin')).toBe(false);
      expect(await accounts.listMembers(ours.id, { limit: 10 })).toMatchObject([
        { role: 'viewer' },
      ]);
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
        (await accounts.listMembers(id, { limit: 10 }))
          .map(({ name, role }) => `${name} ${role}`)
          .toSorted();

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

    it('are listed for a member by name with their status', async () => {
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
          tenantId: theirs.id,
          tenantName: 'Aardvark',
          tenantSlug: theirs.slug,
          isTenantSuspended: true,
          role: 'manager',
          createdAt,
        },
        {
          tenantId: ours.id,
          tenantName: 'Zebra',
          tenantSlug: ours.slug,
          isTenantSuspended: false,
          role: 'viewer',
          createdAt,
        },
      ]);
    });
  });
});

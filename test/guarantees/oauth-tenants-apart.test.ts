import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';

import { createAccountStore } from '../../src/accounts/account-store.js';
import { createClientStore } from '../../src/clients/client-store.js';
import { Consent } from '../../src/grants/consent.entity.js';
import { createConsentStore } from '../../src/grants/consent-store.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';

import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('every store of OAuth keeps tenants apart', () => {
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

  describe('clients', () => {
    const anyClient = async (): Promise<string> => {
      const id = `cli_${randomUUID().replaceAll('-', '')}`;
      await createClientStore(manager).insertPublic(id, {
        client_name: 'App',
        redirect_uris: ['https://app.example.com/cb'],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
        application_type: 'web',
      });
      return id;
    };

    it('have no operation without a case here', () => {
      expect(Object.keys(createClientStore(manager)).toSorted()).toEqual([
        // Clients are global: but for blocks, no operation knows a tenant.
        'blockingAmong',
        'delete',
        'find',
        'findAndRenew',
        'findForUpdate',
        'insertConfidential',
        'insertPublic',
        'isBlocked',
        'list',
        'listBlockedBy',
        'listBlockingTenants',
        'moveRegistrationDigest',
        'moveSecretDigest',
        'setBlocked',
        'setRequiresPushedRequests',
        'setVerified',
        'update',
      ]);
      expect(Object.keys(createConsentStore(manager)).toSorted()).toEqual([
        'deleteOfAccount',
        'deleteOfClient',
        'deleteOfMember',
        'find',
        'forgetAll',
        'remember',
      ]);
    });

    it('are blocked by each tenant for itself, and by the operator for all', async () => {
      const store = createClientStore(manager);
      const [id, other] = [await anyClient(), await anyClient()];
      const blockedIn = async () =>
        Promise.all([ours, theirs].map((tenant) => store.isBlocked(tenant.id, id)));

      expect(await store.setBlocked(id, ours.id, true)).toBe(true);
      expect(await store.setBlocked(id, ours.id, true)).toBe(false);
      expect(await blockedIn()).toEqual([true, false]);
      expect(await store.setBlocked(id, theirs.id, false)).toBe(false);
      expect(await blockedIn()).toEqual([true, false]);
      expect(await store.setBlocked(id, null, true)).toBe(true);
      expect(await blockedIn()).toEqual([true, true]);
      expect(await store.setBlocked(id, null, false)).toBe(true);
      expect(await blockedIn()).toEqual([true, false]);
      const inBoth = [ours.id, theirs.id];
      const all = { limit: 10, after: undefined };
      expect(await store.listBlockingTenants(id, all)).toEqual([ours.id]);
      expect(await store.blockingAmong(id, inBoth)).toEqual([ours.id]);
      expect(await store.listBlockedBy(ours.id, all)).toMatchObject([{ id }]);
      expect(await store.listBlockedBy(theirs.id, all)).toEqual([]);

      expect(await store.isBlocked(ours.id, other)).toBe(false);
      expect(await store.listBlockingTenants(other, all)).toEqual([]);
      expect(await store.blockingAmong(other, inBoth)).toEqual([]);
    });

    it('lose their consents in one tenant or in all', async () => {
      const id = await anyClient();
      const account = await createAccountStore(manager).create({
        email: `${randomUUID()}@example.com`,
        name: null,
        password: 'a long password',
      });
      const agree = (tenantId: string) =>
        manager.insert(Consent, {
          accountId: account.id,
          tenantId,
          clientId: id,
          offered: [],
          granted: [],
        });
      await agree(ours.id);
      await agree(theirs.id);
      const left = async () =>
        (await manager.findBy(Consent, { clientId: id })).map(({ tenantId }) => tenantId);

      await createConsentStore(manager).deleteOfClient(ours.id, id);
      expect(await left()).toEqual([theirs.id]);
      await agree(ours.id);
      await createConsentStore(manager).deleteOfClient(null, id);
      expect(await left()).toEqual([]);

      const accountId = account.id;
      for (const forget of [
        () => createConsentStore(manager).deleteOfMember(accountId, ours.id),
        () =>
          createConsentStore(manager).forgetAll([{ accountId, tenantId: ours.id, clientId: id }]),
        () =>
          createConsentStore(manager).deleteOfAccount({
            accountId,
            tenantId: ours.id,
            clientId: id,
          }),
      ]) {
        await agree(ours.id);
        if ((await left()).length === 1) await agree(theirs.id);
        await forget();
        expect(await left()).toEqual([theirs.id]);
      }
    });
  });
});

import type { EntityManager } from 'typeorm';

import { createClientStore } from '../../clients/client-store.js';
import { createConnectedApps, type ConnectedApps } from '../../connected-apps/service.js';
import { createCredentialStore } from '../../credentials/store/credential-store.js';
import { createAppConnections } from '../../grants/app-connections.js';
import { findActiveGrant, findGrants } from '../../grants/grant-list.js';

/** The service over the stores of a manager: a transaction's for changes. */
export function connectedAppsOf(manager: EntityManager): ConnectedApps {
  const clients = createClientStore(manager);
  const credentials = createCredentialStore(manager);
  return createConnectedApps({
    connections: createAppConnections(manager, clients),
    findGrants: (filter, page) => findGrants(manager, filter, page),
    findGrant: (tenantId, id) => findActiveGrant(manager, tenantId, id),
    findClient: (id) => clients.find(id),
    isBlockedBy: async (tenantId, clientId) =>
      (await clients.blockingAmong(clientId, [tenantId])).length > 0,
    listBlockedBy: (tenantId, page) => clients.listBlockedBy(tenantId, page),
    async currentRole({ accountId, sessionId, tenantId }) {
      if (!(await credentials.isSignedIn(accountId, sessionId))) return undefined;
      return credentials.roleOf(tenantId, accountId);
    },
  });
}

import type { DataSource, EntityManager } from 'typeorm';

import { createClientStore } from '../../clients/index.js';
import { type ConnectedApps, createConnectedApps } from '../../connected-apps/index.js';
import { createCredentialStore } from '../../credentials/index.js';
import { createAppConnections, findActiveGrant, findGrants } from '../../grants/index.js';
import type { SettingsRoute } from '../settings-gate.js';
import { createAppListRoutes, type AppPagesDependencies } from './app-pages.js';
import { createAppEndRoutes } from './end-pages.js';

/** The pages of connected apps. */
export function createConnectedAppSettings(
  dependencies: Omit<AppPagesDependencies, 'apps' | 'change'> & { readonly dataSource: DataSource },
): SettingsRoute[] {
  const { dataSource } = dependencies;
  const parts: AppPagesDependencies = {
    ...dependencies,
    apps: connectedAppsOf(dataSource.manager),
    change: (work) => dataSource.transaction((manager) => work(connectedAppsOf(manager))),
  };
  return [...createAppListRoutes(parts), ...createAppEndRoutes(parts)];
}

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

import type { Context } from 'koa';

import type { ClientAuthentication } from '../../clients/index.js';
import type { Route } from '../../http/routes.js';
import { createAttemptStore } from '../../rate-limits/index.js';
import type { Consents } from '../authorize/consents.js';
import type { PrepareClient } from '../client-preparation.js';
import type { OAuthDependencies } from '../dependencies.js';
import type { ConsoleSessions } from '../library/browser-sessions.js';
import type { createOAuthLimits } from '../limits.js';
import { OAUTH_PATHS } from '../paths.js';
import type { OAuthStores } from '../stores.js';
import { createDeviceEndpoint } from './device-endpoint.js';
import { createDeviceLimits } from './device-limits.js';
import { createDevicePages } from './device-pages.js';
import type { DeviceStore } from './device-store.js';
import { DEVICE_PAGE } from './device-views.js';

interface Parts {
  readonly devices: DeviceStore;
  readonly stores: OAuthStores;
  readonly clients: ClientAuthentication;
  readonly prepareClient: PrepareClient;
  readonly consents: Consents;
  readonly sessions: ConsoleSessions;
  readonly limits: ReturnType<typeof createOAuthLimits>;
}

/** The device grant (RFC 8628): the endpoint that devices call, and the pages of their users. */
export interface DeviceGrantParts {
  readonly endpoint: Route<'public'>;
  readonly pages: readonly Route<'public'>[];
}

export function createDevice(dependencies: OAuthDependencies, parts: Parts): DeviceGrantParts {
  const { settings, dataSource } = dependencies;
  const { devices, stores, limits } = parts;
  return {
    endpoint: createDeviceEndpoint({
      ...dependencies,
      ...parts,
      store: devices,
      path: OAUTH_PATHS.device,
      verificationUri: settings.ISSUER + DEVICE_PAGE,
      resources: stores.resources,
      registeredScopeOf: async (id) => (await stores.findClient(id))?.metadata.scope,
      admit: (request: Context['req']) => limits.authorize(request, undefined),
    }),
    pages: createDevicePages({
      ...stores,
      ...dependencies,
      ...parts,
      store: devices,
      limits: createDeviceLimits(createAttemptStore(dataSource.manager)),
      transaction: (work) => stores.transaction(() => work()),
    }),
  };
}

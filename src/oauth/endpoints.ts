import type { Context } from 'koa';
import { z } from 'zod';

import { createAccountLookup } from '../accounts/index.js';
import {
  type ClientAuthentication,
  createRegistrationRoutes,
  isAnyRedirect,
} from '../clients/index.js';
import { createConsentStore, createRefreshTokens, type FindRefreshRow } from '../grants/index.js';
import type { RequestState } from '../http/context.js';
import { OAUTH_ERRORS } from '../http/errors/oauth-error-schema.js';
import type { Route } from '../http/routes.js';
import { createIntrospectRoutes, createUserinfoRoutes } from '../introspection/index.js';
import { createRevokeRoutes } from '../revoke-endpoints/index.js';
import type { PrepareClient } from './client-preparation.js';
import type { OAuthDependencies } from './dependencies.js';
import type { DeviceStore } from './device/device-store.js';
import type { Library } from './library/index.js';
import type { createOAuthLimits } from './limits.js';
import type { OAuthMetrics } from './oauth-metrics.js';
import type { PushedRequests } from './par/pushed-requests.js';
import { createPushedRequestRoutes } from './par/routes.js';
import { OAUTH_PATHS } from './paths.js';
import type { OAuthStores } from './stores.js';
import { createTokenEndpoint } from './token/endpoint.js';
import { createTokenProofs } from './token/token-proof.js';

/** The parts that OAuth's endpoints share. */
export interface EndpointParts {
  readonly stores: OAuthStores;
  readonly clients: ClientAuthentication;
  readonly devices: DeviceStore;
  readonly findRefreshRow: FindRefreshRow;
  readonly limits: ReturnType<typeof createOAuthLimits>;
  readonly metrics: OAuthMetrics;
  readonly library: Library;
  readonly pushed: PushedRequests;
  readonly prepareClient: PrepareClient;
}

/** The answer of the token endpoint (RFC 6749 §5.1). */
const issuedTokens = z.strictObject({
  access_token: z.string(),
  token_type: z.enum(['Bearer', 'DPoP']),
  expires_in: z.int(),
  scope: z.string(),
  refresh_token: z.string().optional(),
  /** RFC 8693 §2.2.1 */
  issued_token_type: z.string().optional(),
  id_token: z.string().optional(),
});

/** The endpoints that programs call. Errors have OAuth's form. */
export function createEndpoints(
  dependencies: OAuthDependencies,
  parts: EndpointParts,
): readonly Route<'public'>[] {
  return [
    createTokenRoute(dependencies, parts),
    ...createPushedRequestRoutes({
      path: OAUTH_PATHS.par,
      clients: parts.clients,
      findClient: parts.stores.findClient,
      prepareClient: parts.prepareClient,
      isRedirectOf: ({ metadata }, uri) => isAnyRedirect(metadata.redirect_uris, uri),
      resources: parts.stores.resources,
      pushed: parts.pushed,
      admit: parts.limits.push,
      readProof: createTokenProofs(
        dependencies.proofs,
        dependencies.settings.ISSUER + OAUTH_PATHS.par,
      ),
    }),
    ...createRegistration(dependencies),
    ...createTokenInspection(dependencies, parts),
    ...createUserinfoRoutes({
      guard: dependencies.guard,
      findAccount: createAccountLookup(dependencies.lookup),
      path: OAUTH_PATHS.userinfo,
      brand: dependencies.settings.TOKEN_BRAND,
    }),
  ];
}

function createTokenRoute(
  {
    settings,
    signingKeys,
    keyring,
    format,
    clientAddress,
    proofs,
    verifier,
    activity,
    spaceContext,
    headers,
  }: OAuthDependencies,
  { stores, clients, devices, findRefreshRow, limits, metrics, library }: EndpointParts,
): Route<'public'> {
  const handle = createTokenEndpoint({
    issuer: settings.ISSUER,
    resources: stores.resources,
    signingKeys,
    keyring,
    format,
    clients,
    devices,
    readProof: createTokenProofs(proofs, settings.ISSUER + OAUTH_PATHS.token),
    findRefreshRow,
    metrics,
    run: stores.run,
    protocol: library.middleware,
    graceSeconds: settings.REFRESH_GRACE_SECONDS,
    admitRefresh: limits.refresh,
    admitExchange: limits.exchange,
    verifier,
    activity,
    spaceContext,
    clientAddress,
    spaceHeader: headers.space,
    grantMaxDays: settings.GRANT_MAX_DAYS,
    endReusedGrant: (ctx: Context, row) => {
      const { requestId } = ctx.state as RequestState;
      const actor = { id: row.client_id, address: clientAddress(ctx.req), requestId };
      return stores.endGrant(row, actor, 'a code or refresh token was used twice');
    },
  });
  return {
    method: 'POST',
    path: OAUTH_PATHS.token,
    summary: 'Issue tokens',
    cors: 'perResponse',
    answers: { ...OAUTH_ERRORS, 200: issuedTokens },
    access: 'public',
    handle: handle as Route<'public'>['handle'],
  };
}

function createRegistration(dependencies: OAuthDependencies): Route<'public'>[] {
  const { settings, dataSource, keyring, format, clientAddress, outbound } = dependencies;
  return createRegistrationRoutes({
    dataSource,
    keyring,
    format,
    clientAddress,
    issuer: settings.ISSUER,
    path: OAUTH_PATHS.register,
    limitPerMinute: settings.RATE_LIMIT_REGISTRATION_PER_MINUTE,
    redirectHostsAllowed: settings.REDIRECT_HOSTS_ALLOWED,
    isFetchable: outbound.isFetchable,
    forgetConsents: (manager, clientId) =>
      createConsentStore(manager).deleteOfClient(null, clientId),
  });
}

/** Revocation (RFC 7009) and introspection (RFC 7662), of access tokens, refresh tokens and keys. */
function createTokenInspection(
  dependencies: OAuthDependencies,
  { stores, clients, findRefreshRow }: EndpointParts,
): Route<'public'>[] {
  const { settings, verifier, format, prefixes, presentations, clientAddress } = dependencies;
  const refreshTokens = createRefreshTokens({
    findRow: findRefreshRow,
    format,
    endGrant: stores.endGrant,
  });
  return [
    ...createRevokeRoutes({
      verifier,
      format,
      prefixes,
      refreshTokens,
      clients,
      clientAddress,
      transaction: stores.transaction,
      path: OAUTH_PATHS.revoke,
    }),
    ...createIntrospectRoutes({
      issuer: settings.ISSUER,
      verifier,
      refreshTokens,
      clients,
      presentations,
      servers: dependencies.servers,
      guard: dependencies.introspectionGuard,
      path: OAUTH_PATHS.introspect,
    }),
  ];
}

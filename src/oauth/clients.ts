import {
  type ClientAuthentication,
  type ClientDocuments,
  createClientAssertions,
  createClientAuthentication,
  createClientDocuments,
  createMetadataReader,
  createRegistrationLimits,
  createRemoteKeys,
} from '../clients/index.js';
import { createUsedProofs } from '../credentials/index.js';
import { createConsentStore } from '../grants/index.js';
import { createHostRule } from '../http/public-host.js';
import { createAddressLimit } from '../rate-limits/index.js';
import type { OAuthDependencies } from './dependencies.js';
import { OAUTH_PATHS } from './paths.js';
import type { OAuthStores } from './stores.js';

/** Composes how clients are found and authenticated. */
export function createClients(
  dependencies: OAuthDependencies,
  { run, secrets }: OAuthStores,
): { readonly documents: ClientDocuments; readonly clients: ClientAuthentication } {
  const { settings, dataSource, lookup, keyring, outbound, now, clientAddress } = dependencies;
  const documents = createDocuments(dependencies);
  const audiences = [settings.ISSUER, settings.ISSUER + OAUTH_PATHS.token];
  const ownPar = settings.ISSUER + OAUTH_PATHS.par;
  const clients = createClientAuthentication({
    lookup,
    keyring,
    secrets,
    clientAddress,
    // RFC 9126 §2: the endpoint itself is an audience, too.
    audiencesOf: ({ path }) => (path === OAUTH_PATHS.par ? [...audiences, ownPar] : audiences),
    assertions: createClientAssertions({
      run,
      usedProofs: createUsedProofs(dataSource.manager),
      remoteKeys: createRemoteKeys(outbound, now),
      limit: createAddressLimit(now),
    }),
    refreshDocument: documents.refreshLater,
  });
  return { documents, clients };
}

/** Composes the clients that are identified by a metadata document. They have the limits of registrations. */
function createDocuments({
  settings,
  dataSource,
  outbound,
  now,
}: OAuthDependencies): ClientDocuments {
  const perMinute = settings.RATE_LIMIT_REGISTRATION_PER_MINUTE;
  const allowed = settings.CLIENT_DOCUMENT_HOSTS_ALLOWED;
  const isAllowed = createHostRule(allowed);
  const isDenied = createHostRule(settings.CLIENT_DOCUMENT_HOSTS_DENIED);
  return createClientDocuments({
    dataSource,
    outbound,
    readMetadata: createMetadataReader({
      isHostAllowed: createHostRule(settings.REDIRECT_HOSTS_ALLOWED),
      isFetchable: outbound.isFetchable,
    }),
    isHostAllowed: (host) => !isDenied(host) && (allowed.length === 0 || isAllowed(host)),
    limits: createRegistrationLimits(dataSource.manager, perMinute),
    addressLimit: createAddressLimit(now),
    newPerMinute: perMinute,
    forgetConsents: (manager, clientId) =>
      createConsentStore(manager).deleteOfClient(null, clientId),
  });
}

import {
  type ClientDocuments,
  createClientDocuments,
  createMetadataReader,
  createRegistrationLimits,
} from '../clients/index.js';
import { createConsentStore } from '../grants/index.js';
import { createHostRule } from '../http/public-host.js';
import { createAddressLimit } from '../rate-limits/index.js';
import type { OAuthDependencies } from './dependencies.js';

/** Composes the clients that are identified by a metadata document. They have the limits of registrations. */
export function createDocuments({
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
    readMetadata: createMetadataReader(createHostRule(settings.REDIRECT_HOSTS_ALLOWED)),
    isHostAllowed: (host) => !isDenied(host) && (allowed.length === 0 || isAllowed(host)),
    limits: createRegistrationLimits(dataSource.manager, perMinute),
    addressLimit: createAddressLimit(now),
    newPerMinute: perMinute,
    forgetConsents: (manager, clientId) =>
      createConsentStore(manager).deleteOfClient(null, clientId),
  });
}

export {
  type AuthenticatedClient,
  CLIENT_QUERIES,
  type ClientAuthentication,
  createClientAuthentication,
} from './client-authentication.js';
export {
  type ClientAdministration,
  createClientAdministration,
  presentClient,
} from './client-administration.js';
export { deleteUnusedClients } from './client-cleanup.js';
export { isClientId } from './client-id.js';
export { type ClientSecrets, createClientSecrets } from './client-secrets.js';
export type { BlockedClient, ClientPosition, ListedClient } from './client-list.js';
export { createClientStore } from './client-store.js';
export type { Client } from './client.entity.js';
export { createClientAssertions } from './assertions/assertions.js';
export { createRemoteKeys } from './assertions/remote-keys.js';
export { deleteExcessCopies } from './documents/document-store.js';
export { documentHostOf } from './documents/document-url.js';
export {
  type ClientDocuments,
  createClientDocuments,
  type DocumentFault,
} from './documents/documents.js';
export { authenticateKey, verifyKey } from './key-authentication.js';
export { type ClientLogos, createClientLogos } from './logos/logos.js';
export { createLogoRoutes } from './logos/logo-routes.js';
export { createPreRegistration, type PreRegistration } from './pre-registration.js';
export { isAnyRedirect, isAuthenticatedRedirect } from './redirect-uri.js';
export { type ClientMetadata, createMetadataReader } from './registration/client-metadata.js';
export { createRegistrationLimits } from './registration/limits.js';
export { createRegistrationRoutes } from './registration/routes.js';
export { DEVICE_GRANT, registrationRequest } from './registration/metadata-members.js';

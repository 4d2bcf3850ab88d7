export { createResourceServerService, type IssuedServer } from './resource-server-service.js';
export { createResourceServerStore, type ResourceServer } from './resource-server-store.js';
export { createResources, type Resources, type TargetServer } from './target-resources.js';
export {
  createServerAuthentication,
  SERVER_QUERIES,
  type ServerAuthentication,
} from './server-authentication.js';
export { newResourceServer, resourceServerChange, serverRotation } from './server-schema.js';

export {
  createSpaceContextResolver,
  SPACE_QUERIES,
  type SpaceContextResolver,
} from './space-context-resolver.js';
export type { SpaceContext } from './space-context.js';
export { presentSpace, spaceAnswer } from './space-presenter.js';
export { createSpaceReadRoutes, type SpaceReadDependencies } from './space-read-routes.js';
export { createSpaceRoutes } from './space-routes.js';
export { SPACE_QUERY, spaceChange, spaceFields } from './space-schema.js';
export { createSpaceService, type SpaceManager, type SpaceService } from './space-service.js';
export { createSpaceStore, findTenantOfSpace } from './space-store.js';
export type { Space } from './space.entity.js';

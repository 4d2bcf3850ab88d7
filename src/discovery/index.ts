export { createErrorPageRoutes, type DocsViews, ERROR_PAGE_PATH } from './error-page.js';
export { createOpenApiRoutes, REFERENCE_PATH } from './openapi/routes.js';
export { createProtectedResourceRoutes, METADATA_PATHS } from './protected-resource.js';
export { createScopeRoutes } from './scope-routes.js';

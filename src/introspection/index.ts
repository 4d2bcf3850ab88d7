export { createIntrospectRoutes } from './introspect-routes.js';
export { createMeRoutes } from './me-routes.js';
export { createUserinfoRoutes } from './userinfo-routes.js';

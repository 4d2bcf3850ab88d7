export { createConnectedAppRoutes } from './routes.js';
export { type ConnectedApps, createConnectedApps } from './service.js';

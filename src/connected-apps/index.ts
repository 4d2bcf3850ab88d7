export { createConnectedAppRoutes } from './routes.js';
export { type App, type AppUser, type ConnectedApps, createConnectedApps } from './service.js';

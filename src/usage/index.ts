export { createUsageHistoryRoutes } from './usage-routes.js';

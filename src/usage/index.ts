export {
  createUsageHistory,
  sumOf,
  totalOf,
  type AnswerCounts,
  type UsageHistory,
  type UsagePoint,
} from './usage-history.js';
export { usageRangeOf } from './usage-range.js';
export { createUsageHistoryRoutes } from './usage-routes.js';

export {
  createUsageHistory,
  sumOf,
  totalOf,
  type AnswerCounts,
  type UsageOfSubject,
  type UsagePoint,
} from './usage-history.js';
export { SPAN_NAMES, usageRangeOf, type Span } from './usage-range.js';
export { createUsageHistoryRoutes } from './usage-routes.js';

export {
  createUsageHistory,
  sumOf,
  totalOf,
  type AnswerCounts,
  type UsageOfSubject,
  type UsagePoint,
} from './usage-history.js';
export { SPAN_NAMES, usageParameters, usageRangeOf, type Span } from './usage-range.js';
export {
  createUsageHistoryRoutes,
  environmentOf,
  historyAnswer,
  readHistory,
} from './history-routes.js';

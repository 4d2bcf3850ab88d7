export {
  type AppConnections,
  createAppConnections,
  type GrantsOfAccount,
  type GrantToEnd,
} from './app-connections.js';
export { searchApps } from './app-search.js';
export { type ConsentStore, createConsentStore, type RememberedConsent } from './consent-store.js';
export { presentEndedGrant, presentGrant } from './grant-presenter.js';
export { deleteEndedGrants, eraseExpiredAnswers } from './grant-cleanup.js';
export {
  findActiveGrant,
  findGrant,
  findGrants,
  type FoundGrants,
  type GrantFilter,
  type ListedGrant,
} from './grant-list.js';
export {
  createGrantStore,
  type EndedGrant,
  endGrantIn,
  type GrantStore,
  type StoredGrant,
} from './grant-store.js';
export {
  createRefreshRows,
  createRefreshTokens,
  type FindRefreshRow,
  GRANTED_SERVERS,
  REFRESH_QUERIES,
  type RefreshPayload,
  type RefreshRow,
  type RefreshTokens,
} from './refresh-tokens.js';

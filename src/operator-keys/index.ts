export {
  type CallingOperator,
  createOperatorAuthentication,
  OPERATOR_QUERIES,
  type OperatorAuthentication,
} from './operator-authentication.js';
export { newOperatorKey, operatorKeyRotation } from './operator-key-schema.js';
export { createOperatorKeyService } from './operator-key-service.js';
export type { OperatorKey } from './operator-key-store.js';
export type { OperatorScope } from './scopes.js';

export {
  type Actor,
  type AuditEvent,
  type AuditLog,
  createAuditLog,
  OPERATOR,
} from './audit-log.js';
export { createRefusedSignIns, flushedWith, type RefusedSignIns } from './refused-sign-ins.js';

export { findFormerAccount } from './former-account.js';
export { deleteExpiredSessions } from './session-cleanup.js';
export { amrOf } from './sign-in-method.js';
export { createSessionStore, type SessionStore } from './session-store.js';

export { createSessionStore, deleteExpiredSessions, type SessionStore } from './session-store.js';

import { declareRoutesFor, type ApiRoute } from '../../http/api-route.js';
import type { Access } from './admission.js';
import type { GuardedState } from './guard.js';
import type { SessionAccess, SessionState } from './session-guard.js';

/** A route of the API for credentials. */
export type GuardedRoute = ApiRoute<Access, GuardedState>;

/** A route of the API for signed-in browsers. */
export type SessionRoute = ApiRoute<SessionAccess, SessionState>;

export const guardedRoute = declareRoutesFor<Access, GuardedState>();

export const sessionRoute = declareRoutesFor<SessionAccess, SessionState>();

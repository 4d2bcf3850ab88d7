import { SESSION_LIFETIMES } from '../credentials/session-lifetimes.js';

/** How long what OAuth issues lives, in seconds. */
export const LIFETIMES = {
  accessToken: 3600,
  idToken: 3600,
  refreshToken: 30 * 86_400,
  authorizationCode: 60,
  /** A login or consent page that was left open. */
  interaction: 3600,
  /** Of a browser, while no request comes. */
  session: SESSION_LIFETIMES.idleSeconds,
} as const;

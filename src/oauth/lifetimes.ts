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

/** The lifetimes of tokens, in seconds. Nothing that is issued under a grant outlives it. */
export interface Lifetimes {
  readonly accessToken: number;
  readonly refreshToken: number;
  /** From its authorization on, however often it is refreshed: `GRANT_MAX_DAYS`. */
  readonly grant: number;
}

/** @param grantMaxDays `GRANT_MAX_DAYS` */
export function createLifetimes(grantMaxDays: number): Lifetimes {
  const { accessToken, refreshToken } = LIFETIMES;
  return { accessToken, refreshToken, grant: grantMaxDays * 86_400 };
}

/** How much of a grant's life is left, in whole seconds; negative once it is over. */
export function secondsLeft({ grant }: Lifetimes, row: { readonly grant_age: number }): number {
  return Math.floor(grant - row.grant_age);
}

import { SESSION_LIFETIMES } from '../credentials/index.js';

/** Lifetimes of OAuth's artifacts, in seconds. */
export const LIFETIMES = {
  accessToken: 3600,
  idToken: 3600,
  refreshToken: 30 * 86_400,
  authorizationCode: 60,
  /** A pushed authorization request, until the browser comes with its reference. */
  pushedRequest: 60,
  /** A pending login or consent page. */
  interaction: 3600,
  /** A browser's session without requests. */
  session: SESSION_LIFETIMES.idleSeconds,
} as const;

/** Lifetimes of tokens, in seconds. No token outlives its grant. */
export interface Lifetimes {
  readonly accessToken: number;
  readonly refreshToken: number;
  /** `GRANT_MAX_DAYS`, from the authorization. Refreshes do not extend it. */
  readonly grant: number;
}

/** @param grantMaxDays `GRANT_MAX_DAYS` */
export function createLifetimes(grantMaxDays: number): Lifetimes {
  const { accessToken, refreshToken } = LIFETIMES;
  return { accessToken, refreshToken, grant: grantMaxDays * 86_400 };
}

/** The remaining lifetime of a grant in whole seconds; negative once it has ended. */
export function secondsLeft({ grant }: Lifetimes, row: { readonly grant_age: number }): number {
  return Math.floor(grant - row.grant_age);
}

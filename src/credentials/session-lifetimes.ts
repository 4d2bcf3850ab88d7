/** How long a session lives, by the database's clock. */
export const SESSION_LIFETIMES = {
  /** Without a request. */
  idleSeconds: 14 * 86_400,
  /** From the sign-in on, whatever is done with it. */
  absoluteSeconds: 90 * 86_400,
  /** A request writes down that the session is in use if none has done so for this long. */
  renewAfterSeconds: 300,
} as const;

/** Living sessions of one account. A further one ends the oldest. */
export const MAX_SESSIONS = 50;

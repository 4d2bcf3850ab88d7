/** Lifetimes of a session, by the database's clock. */
export const SESSION_LIFETIMES = {
  /** Without a request. */
  idleSeconds: 14 * 86_400,
  /** From the sign-in, independent of use. */
  absoluteSeconds: 90 * 86_400,
  /** The minimum interval between writes of a session's last use. */
  renewAfterSeconds: 300,
} as const;

/** The maximum of valid sessions of one account. A further one ends the oldest. */
export const MAX_SESSIONS = 50;

import type { IncomingMessage } from 'node:http';

import { type AttemptVerdict, createAddressLimit } from '../rate-limits/index.js';

/** Resumed requests per started authorization: one after each page. */
const RESUMES = 5;
/** A backend pushes the requests of all its users. */
const PUSHES_OF_CLIENT = 20;
/** Clients refresh about once an hour, from a few processes. Each refresh stores two tokens. */
const REFRESHES_PER_MINUTE = 60;

interface Dependencies {
  /** Milliseconds since the epoch, monotonic. */
  readonly now: () => number;
  readonly clientAddress: (request: IncomingMessage) => string;
  /** `RATE_LIMIT_AUTHORIZE_PER_MINUTE`; 0 for no limit. */
  readonly authorizationsPerMinute: number;
}

/** Limits of requests that store rows, counted in memory per replica. */
export function createOAuthLimits({ now, clientAddress, authorizationsPerMinute }: Dependencies) {
  const limit = createAddressLimit(now);
  return {
    /** Counts by the signed-in account, or else by address. */
    authorize: (request: IncomingMessage, accountId: string | undefined): AttemptVerdict =>
      accountId === undefined
        ? limit.take('authorize', clientAddress(request), authorizationsPerMinute)
        : limit.takeFor('authorize', accountId, authorizationsPerMinute),
    resume: (request: IncomingMessage): AttemptVerdict =>
      limit.take('resume', clientAddress(request), RESUMES * authorizationsPerMinute),
    /** Counts a pushed request: by address, and for a client that has authenticated by client. */
    push: (
      request: IncomingMessage,
      { id, isConfidential }: { readonly id: string; readonly isConfidential: boolean },
    ): AttemptVerdict =>
      isConfidential
        ? limit.takeFor('push', id, PUSHES_OF_CLIENT * authorizationsPerMinute)
        : limit.take('push', clientAddress(request), authorizationsPerMinute),
    /** Exchanges of a key for tokens. */
    exchange: (keyId: string): AttemptVerdict =>
      limit.takeFor('exchange', keyId, REFRESHES_PER_MINUTE),
    refresh: (grantId: string): AttemptVerdict =>
      limit.takeFor('refresh', grantId, REFRESHES_PER_MINUTE),
  };
}

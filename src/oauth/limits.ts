import type { IncomingMessage } from 'node:http';

import { createAddressLimit } from '../http/address-limit.js';
import type { AttemptVerdict } from '../http/attempts.js';

/** An authorization is resumed after each of its pages: so many times the limit for beginning one. */
const RESUMES = 5;
/** An app refreshes once an hour, or from a few processes at once. Each refresh leaves two tokens. */
const REFRESHES_PER_MINUTE = 60;

interface Dependencies {
  /** Milliseconds since the epoch, which never step back. */
  readonly now: () => number;
  readonly clientAddress: (request: IncomingMessage) => string;
  /** `RATE_LIMIT_AUTHORIZE_PER_MINUTE`; 0 for no limit. */
  readonly authorizationsPerMinute: number;
}

/** Limits of requests that leave rows, counted in memory by each replica. */
export function createOAuthLimits({ now, clientAddress, authorizationsPerMinute }: Dependencies) {
  const limit = createAddressLimit(now);
  return {
    /** Counts on the account that is signed in, otherwise on the address. */
    authorize: (request: IncomingMessage, accountId: string | undefined): AttemptVerdict =>
      accountId === undefined
        ? limit.take('authorize', clientAddress(request), authorizationsPerMinute)
        : limit.takeFor('authorize', accountId, authorizationsPerMinute),
    resume: (request: IncomingMessage): AttemptVerdict =>
      limit.take('resume', clientAddress(request), RESUMES * authorizationsPerMinute),
    refresh: (grantId: string): AttemptVerdict =>
      limit.takeFor('refresh', grantId, REFRESHES_PER_MINUTE),
  };
}

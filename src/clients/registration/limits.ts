import type { EntityManager } from 'typeorm';

import { type AttemptLimit, createAttemptStore } from '../../rate-limits/index.js';
import { createFloodGate } from './flood-gate.js';
import { subscriberOf } from '../../http/networks.js';
import { assertAllowed, type OAuthError, tooManyRequests } from '../../http/errors/oauth-error.js';

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** Registrations that are parsed, per address and minute. A busy proxy stays far below. */
const MIN_READ_PER_MINUTE = 600;
const READ_PER_ATTEMPT = 30;
/** Factor from attempts per minute to new clients per day of an address: 200 by default. */
const CREATIONS_PER_DAY = 10;

/** Limits of changes, each of which writes an audit entry. */
export const CHANGES_OF_CLIENT: readonly AttemptLimit[] = [
  { count: 20, seconds: HOUR },
  { count: 50, seconds: DAY },
];
const CHANGES_OF_ADDRESS: AttemptLimit = { count: 500, seconds: DAY };

/** The limits of open registration. An IPv6 /64 counts as one address. */
export interface RegistrationLimits {
  /**
   * The first check, in memory.
   * @throws OAuthError 429
   */
  admit(address: string): void;
  /**
   * Parses a registration, and counts a failure as an attempt.
   * @throws OAuthError 429 once the limit is exceeded; otherwise what `read` throws
   */
  countFailures<Result>(address: string, read: () => Promise<Result>): Promise<Result>;
  /**
   * Counts a new client, in the transaction that creates it, before anything is written.
   * @returns the refusal if the limit is exceeded
   */
  takeCreation(manager: EntityManager, address: string): Promise<OAuthError | undefined>;
  /** Undoes `takeCreation` for a client that existed already. */
  giveBackCreation(manager: EntityManager, address: string): Promise<void>;
  /** @throws OAuthError 429 */
  takeChange(clientId: string, address: string): Promise<void>;
}

/**
 * @param manager outside of transactions, so that a rollback does not undo the counts of failures and changes
 * @param perMinute attempts of one address; 0 removes all limits per address
 */
export function createRegistrationLimits(
  manager: EntityManager,
  perMinute: number,
): RegistrationLimits {
  const gate = createFloodGate(
    perMinute === 0 ? 0 : Math.max(MIN_READ_PER_MINUTE, READ_PER_ATTEMPT * perMinute),
  );
  const attempts: AttemptLimit = { count: perMinute, seconds: MINUTE };
  const creations: AttemptLimit = { count: perMinute * CREATIONS_PER_DAY, seconds: DAY };
  const minuteOf = (address: string) => `register ${subscriberOf(address)}`;
  const dayOf = (address: string) => `register-day ${subscriberOf(address)}`;

  return {
    admit(address) {
      const seconds = gate(subscriberOf(address));
      if (seconds !== undefined)
        throw tooManyRequests('Too many registrations from your address', seconds);
    },
    async countFailures(address, read) {
      try {
        return await read();
      } catch (error) {
        if (perMinute > 0) {
          const verdict = await createAttemptStore(manager).take(minuteOf(address), attempts);
          assertAllowed(verdict, 'Too many registrations from your address');
        }
        throw error;
      }
    },
    async takeCreation(transaction, address) {
      if (perMinute === 0) return undefined;
      const store = createAttemptStore(transaction);
      const minute = await store.take(minuteOf(address), attempts);
      if (!minute.isAllowed)
        return tooManyRequests('Too many new clients from your address', minute.retryAfterSeconds);
      const day = await store.take(dayOf(address), creations);
      if (day.isAllowed) return undefined;
      await store.giveBack(minuteOf(address));
      return tooManyRequests('Too many new clients from your address', day.retryAfterSeconds);
    },
    async giveBackCreation(transaction, address) {
      if (perMinute === 0) return;
      const store = createAttemptStore(transaction);
      await store.giveBack(minuteOf(address));
      await store.giveBack(dayOf(address));
    },
    async takeChange(clientId, address) {
      const store = createAttemptStore(manager);
      for (const limit of CHANGES_OF_CLIENT) {
        const verdict = await store.take(`change ${limit.seconds} ${clientId}`, limit);
        assertAllowed(verdict, 'This client was changed too often');
      }
      if (perMinute === 0) return;
      const bucket = `change ${subscriberOf(address)}`;
      assertAllowed(
        await store.take(bucket, CHANGES_OF_ADDRESS),
        'Too many changes of clients from your address',
      );
    },
  };
}

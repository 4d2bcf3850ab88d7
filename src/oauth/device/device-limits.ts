import { hash } from 'node:crypto';

import { subscriberOf } from '../../http/networks.js';
import type { AttemptLimit, AttemptStore } from '../../rate-limits/index.js';

const OF_CODE: AttemptLimit = { count: 10, seconds: 600 };
const OF_ADDRESS: AttemptLimit = { count: 20, seconds: 3600 };

/** Limits of typing codes, against guessing (RFC 8628 §5.1). An IPv6 /64 counts as one address. */
export interface DeviceLimits {
  /**
   * Counts a try of an address, and of a code if the text can be one.
   * @returns the seconds after which it may be repeated; `undefined` if it may pass
   */
  take(address: string, userCode: string | undefined): Promise<number | undefined>;
  /** Undoes the count of an address whose code was right. */
  giveBack(address: string): Promise<void>;
}

export function createDeviceLimits(attempts: AttemptStore): DeviceLimits {
  const bucketOf = (address: string) => `device address ${subscriberOf(address)}`;
  return {
    async take(address, userCode) {
      const verdict = await attempts.take(bucketOf(address), OF_ADDRESS);
      if (!verdict.isAllowed) return verdict.retryAfterSeconds;
      if (userCode === undefined) return undefined;
      const ofCode = await attempts.take(`device code ${hash('sha256', userCode)}`, OF_CODE);
      return ofCode.isAllowed ? undefined : ofCode.retryAfterSeconds;
    },
    giveBack: (address) => attempts.giveBack(bucketOf(address)),
  };
}

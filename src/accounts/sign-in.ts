import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';

import type { RefusedSignIns } from '../audit/index.js';
import { type AttemptLimit, type AttemptStore, createAttemptStore } from '../rate-limits/index.js';
import { subscriberOf } from '../http/networks.js';
import type { Signer } from '../http/pagination.js';
import { createAccountStore, normalizeEmail } from './account-store.js';
import type { Account } from './account.entity.js';
import { createHashingQueue, HashingBusy, type HashingQueue } from './hashing-queue.js';
import { createKnownDevices, DEVICE_LIFETIME_SECONDS } from './known-devices.js';
import { isLongerThan, MAX_PASSWORD_BYTES } from './password-policy.js';
import { createPasswordCheck, markOf, type PasswordVerdict } from './password.js';

/** A signed-in account, and a mark of the password, which may be replaced before the session is saved. */
export interface SignedInAccount extends Readonly<Pick<Account, 'id' | 'email' | 'name'>> {
  readonly passwordMark: string;
}

/** The outcome of a sign-in attempt. `refused` reveals neither the reason nor whether the account exists. */
export type SignInOutcome =
  | {
      readonly outcome: 'accepted';
      readonly account: SignedInAccount;
      /** Marks the browser as known to the account. */
      readonly deviceCookie: { readonly value: string; readonly lifetimeSeconds: number };
    }
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'throttled'; readonly retryAfterSeconds: number }
  /** Too many passwords are being hashed. The attempt is not counted. */
  | { readonly outcome: 'busy'; readonly retryAfterSeconds: number };

/**
 * Checks an email address and a password.
 * @param attempt `address` is the client's, which is limited too (IPv6 by /64). `deviceCookie` is the cookie of an earlier
 *   sign-in
 */
export type SignIn = (attempt: {
  readonly email: string;
  readonly password: string;
  readonly address: string;
  readonly deviceCookie?: string | undefined;
}) => Promise<SignInOutcome>;

const WINDOW_SECONDS = 300;
const perWindow = (count: number): AttemptLimit => ({ count, seconds: WINDOW_SECONDS });

/** Limits of wrong and of right passwords. An attempt takes from both, and the one that does not apply is given back. */
const LIMITS = {
  wrong: {
    /** One address on one account: few, because it locks out only that address. */
    'account from': perWindow(10),
    /** All unknown browsers on one account: more, because it locks all of them out. */
    account: perWindow(50),
    address: perWindow(60),
    /** A browser that signed in to the account before. Replaces the other limits for it. */
    device: perWindow(10),
  },
  right: {
    'right account': perWindow(60),
    'right address': perWindow(100),
  },
} as const;

const BUSY_SECONDS = 5;
/** RFC 5321 §4.5.3.1: 64 octets, the sign, 255 octets. */
const MAX_EMAIL_BYTES = 320;

interface Bucket {
  readonly name: string;
  readonly limit: AttemptLimit;
  readonly counts: keyof typeof LIMITS;
}

interface Dependencies {
  readonly dataSource: DataSource;
  /** Signs the cookies of known browsers. */
  readonly keyring: Signer;
  readonly refusedSignIns: Pick<RefusedSignIns, 'note'>;
  /** A queue of its own, unless one is given. */
  readonly hashing?: HashingQueue;
}

/**
 * Sign-in with email and password. Attempts are limited by account, existing or not, and by address. The limits are exact
 * across replicas and under concurrency: each attempt is counted before its password is checked, and given back if it
 * does not count. A browser that signed in to the account before has its own limit, so that an attacker cannot lock it
 * out.
 *
 * Refused attempts are written to the audit log in the background: only existing accounts have entries, and the time to
 * write one would reveal that.
 */
export function createSignIn({
  dataSource,
  keyring,
  refusedSignIns,
  hashing = createHashingQueue(),
}: Dependencies): SignIn {
  const checkPassword = createPasswordCheck();
  const accounts = createAccountStore(dataSource.manager);
  // Outside of transactions, so that a rollback does not undo the count.
  const { take, giveBack } = createAttemptCounts(createAttemptStore(dataSource.manager));
  const devices = createKnownDevices(keyring);

  return async ({ email, password, address, deviceCookie }) => {
    if (isLongerThan(email, MAX_EMAIL_BYTES) || isLongerThan(password, MAX_PASSWORD_BYTES)) {
      return { outcome: 'refused' };
    }
    const busy = { outcome: 'busy', retryAfterSeconds: BUSY_SECONDS } as const;
    if (deviceCookie === undefined && hashing.isFull('unknown')) return busy;

    const { account: found, now, costliest } = await accounts.findToSignIn(email);
    const device = devices.find(deviceCookie, found, now);
    const waiting = device === undefined ? 'unknown' : 'known';
    if (hashing.isFull(waiting)) return busy;
    const refuse = (reason: 'password' | 'throttled') =>
      refusedSignIns.note(found?.id, reason, address);

    const buckets = bucketsOf({ source: subscriberOf(address), email, device });
    const retryAfterSeconds = await take(buckets);
    if (retryAfterSeconds !== undefined) {
      refuse('throttled');
      return { outcome: 'throttled', retryAfterSeconds };
    }
    let verdict: PasswordVerdict;
    try {
      verdict = await hashing.run(waiting, () =>
        checkPassword(found?.passwordHash, password, costliest),
      );
    } catch (error) {
      await giveBack(buckets, 'wrong');
      await giveBack(buckets, 'right');
      if (error instanceof HashingBusy) return busy;
      throw error;
    }
    if (found === undefined || !verdict.isRight) {
      await giveBack(buckets, 'right');
      refuse('password');
      return { outcome: 'refused' };
    }
    await giveBack(buckets, 'wrong');

    const { renewedHash } = verdict;
    if (renewedHash !== undefined) await accounts.renewHash(found, renewedHash);
    const { id, name, passwordHash } = found;
    const current = { id, passwordHash: renewedHash ?? passwordHash };
    return {
      outcome: 'accepted',
      account: { id, email: found.email, name, passwordMark: markOf(current.passwordHash) },
      deviceCookie: {
        value: devices.remember(deviceCookie, current, { now, device }),
        lifetimeSeconds: DEVICE_LIFETIME_SECONDS,
      },
    };
  };
}

/** Counts an attempt on its limits before the password is checked. */
function createAttemptCounts(attempts: AttemptStore) {
  /** @returns the seconds to wait, if the attempt is over a limit */
  async function take(buckets: readonly Bucket[]): Promise<number | undefined> {
    const taken: Bucket[] = [];
    for (const bucket of buckets) {
      const verdict = await attempts.take(bucket.name, bucket.limit);
      if (!verdict.isAllowed) {
        await giveBack(taken, 'right');
        return verdict.retryAfterSeconds;
      }
      taken.push(bucket);
    }
    return undefined;
  }

  async function giveBack(buckets: readonly Bucket[], counts: Bucket['counts']): Promise<void> {
    for (const bucket of buckets) {
      if (bucket.counts === counts) await attempts.giveBack(bucket.name);
    }
  }

  return { take, giveBack };
}

/** The limits that an attempt counts on. The address comes first, so that a blocked address cannot use up accounts. */
function bucketsOf({
  source,
  email,
  device,
}: {
  source: string;
  email: string;
  device: string | undefined;
}): readonly Bucket[] {
  const account = normalizeEmail(email);
  // Hashed, so that the counters do not list email addresses.
  const wrong = (name: keyof (typeof LIMITS)['wrong'], of: string): Bucket => ({
    name: `sign-in ${name} ${fingerprint(of)}`,
    limit: LIMITS.wrong[name],
    counts: 'wrong',
  });
  const right = (name: keyof (typeof LIMITS)['right'], of: string): Bucket => ({
    name: `sign-in ${name} ${fingerprint(of)}`,
    limit: LIMITS.right[name],
    counts: 'right',
  });
  if (device !== undefined) return [wrong('device', device), right('right account', account)];
  return [
    wrong('address', source),
    wrong('account from', `${source} ${account}`),
    wrong('account', account),
    right('right address', source),
    right('right account', account),
  ];
}

function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

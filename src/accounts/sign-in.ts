import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';

import { createAttemptStore } from '../http/attempts.js';
import { subscriberOf } from '../http/networks.js';
import { createAccountStore, normalizeEmail } from './account-store.js';
import type { Account } from './account.entity.js';
import { createPasswordCheck, markOf } from './password.js';

/** Who signed in, and with which password: until a session has begun, it may be replaced. */
export interface SignedInAccount extends Readonly<Pick<Account, 'id' | 'email' | 'name'>> {
  readonly passwordMark: string;
}

/** What became of an attempt to sign in. `refused` says neither whether the account exists nor why. */
export type SignInOutcome =
  | { readonly outcome: 'accepted'; readonly account: SignedInAccount }
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'throttled'; readonly retryAfterSeconds: number };

/**
 * Checks an email address and a password.
 * @param address the client's; it is limited too (an IPv6 address with its whole /64)
 */
export type SignIn = (attempt: {
  email: string;
  password: string;
  address: string;
}) => Promise<SignInOutcome>;

const WINDOW_SECONDS = 300;
/** What one address may try on one account: few, which locks out nobody but that address. */
const PER_ACCOUNT_AND_ADDRESS = { count: 10, seconds: WINDOW_SECONDS };
/** What all addresses together may try on one account: more, since reaching it locks out its owner. */
const PER_ACCOUNT = { count: 50, seconds: WINDOW_SECONDS };
const PER_ADDRESS = { count: 60, seconds: WINDOW_SECONDS };

/**
 * Signing in with email and password. Wrong ones are limited by account (whether or not it exists) and by address, exactly
 * so over all replicas and under parallel attempts: each is counted before its password is looked at, and
 * given back if that was right.
 *
 * Nothing is written about a refused attempt beyond the counters: an audit entry could be made for accounts that
 * exist only, and the time that takes would tell.
 */
export function createSignIn({ dataSource }: { dataSource: DataSource }): SignIn {
  const checkPassword = createPasswordCheck();
  const accounts = createAccountStore(dataSource.manager);
  // Not in anybody's transaction: what was attempted counts, whatever becomes of the rest.
  const attempts = createAttemptStore(dataSource.manager);

  return async ({ email, password, address }) => {
    // Hashed: the counters should not be a list of who tried to sign in.
    const source = subscriberOf(address);
    const account = normalizeEmail(email);
    // The address first: one that has used up its own attempts cannot use up those of accounts.
    const limits = [
      [`sign-in address ${fingerprint(source)}`, PER_ADDRESS],
      [`sign-in account from ${fingerprint(`${source} ${account}`)}`, PER_ACCOUNT_AND_ADDRESS],
      [`sign-in account ${fingerprint(account)}`, PER_ACCOUNT],
    ] as const;
    for (const [bucket, limit] of limits) {
      const verdict = await attempts.take(bucket, limit);
      if (!verdict.isAllowed) {
        return { outcome: 'throttled', retryAfterSeconds: verdict.retryAfterSeconds };
      }
    }

    // PostgreSQL takes no text with a NUL in it, and nobody has such an address.
    const found = email.includes('\0') ? undefined : await accounts.findByEmail(email);
    const verdict = await checkPassword(found?.passwordHash, password);
    if (found === undefined || verdict === 'wrong') return { outcome: 'refused' };

    for (const [bucket] of limits) await attempts.giveBack(bucket);
    const passwordMark =
      verdict === 'outdated' ? await accounts.rehash(found, password) : markOf(found.passwordHash);
    const { id, name } = found;
    return { outcome: 'accepted', account: { id, email: found.email, name, passwordMark } };
  };
}

function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

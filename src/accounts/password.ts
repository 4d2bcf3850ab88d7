import { hash, parseOptions, verify } from '@node-rs/argon2';
import { createHash, randomBytes } from 'node:crypto';

import { normalizePassword } from './password-policy.js';

/** argon2id with OWASP's minimum parameters: 19 MiB, two passes, one lane. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** The stored hash of an account that has no password yet. No hash looks like it. */
export const NO_PASSWORD = '!';

/** The result of a password check. */
export interface PasswordVerdict {
  readonly isRight: boolean;
  /** A new hash of a correct password, if the stored one has old parameters or is not normalised. */
  readonly renewedHash?: string;
}

/**
 * Checks a password of at most `MAX_PASSWORD_BYTES`. It takes the same time with and without a stored hash, so that the
 * timing does not reveal which accounts exist.
 *
 * @param stored the account's hash; `undefined` for an unknown account
 */
export type PasswordCheck = (
  stored: string | undefined,
  password: string,
) => Promise<PasswordVerdict>;

/** @returns the normalised password's argon2id hash, in its PHC string format */
export function hashPassword(password: string): Promise<string> {
  return hash(normalizePassword(password), PARAMETERS);
}

/** A mark that changes with the password and reveals nothing about it. */
export function markOf(passwordHash: string): string {
  return createHash('sha256').update(passwordHash).digest('hex');
}

export function createPasswordCheck(): PasswordCheck {
  // The hash of a random password, computed ahead so that its first use takes no longer.
  const nobody = hashPassword(randomBytes(32).toString('hex'));
  return async (stored, password) => {
    const normalized = normalizePassword(password);
    const compared = stored === undefined || stored === NO_PASSWORD ? await nobody : stored;
    let isRight = await verify(compared, normalized);
    let isCurrent = isRight && isMadeAsNow(compared);
    if (!isRight && normalized !== password) {
      // Hashes of earlier releases are of passwords that were not normalised.
      isRight = await verify(compared, password);
      isCurrent = false;
    }
    if (stored === undefined || !isRight) return { isRight: false };
    return isCurrent ? { isRight } : { isRight, renewedHash: await hashPassword(password) };
  };
}

function isMadeAsNow(stored: string): boolean {
  const { memoryCost, timeCost, parallelism } = parseOptions(stored);
  return (
    memoryCost === PARAMETERS.memoryCost &&
    timeCost === PARAMETERS.timeCost &&
    parallelism === PARAMETERS.parallelism
  );
}

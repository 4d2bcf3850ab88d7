import { hash, parseOptions, verify } from '@node-rs/argon2';
import { createHash, randomBytes } from 'node:crypto';

import { normalizePassword } from './password-policy.js';

/** argon2id with the least that OWASP recommends: 19 MiB, two passes, one lane. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** What a password turned out to be. */
export interface PasswordVerdict {
  readonly isRight: boolean;
  /** Replaces the stored hash of a right password: that has parameters of the past, or is not normalised. */
  readonly renewedHash?: string;
}

/**
 * Judges a password of at most `MAX_PASSWORD_BYTES`. It does the same work, and so takes the same time, whether
 * there is a hash to compare it with or not: no answer tells which accounts exist.
 *
 * @param stored the account's hash; `undefined` if there is no such account
 */
export type PasswordCheck = (
  stored: string | undefined,
  password: string,
) => Promise<PasswordVerdict>;

/** @returns the normalised password's argon2id hash, in its PHC string format */
export function hashPassword(password: string): Promise<string> {
  return hash(normalizePassword(password), PARAMETERS);
}

/** Tells one password from its successor, and nothing else about it. */
export function markOf(passwordHash: string): string {
  return createHash('sha256').update(passwordHash).digest('hex');
}

export function createPasswordCheck(): PasswordCheck {
  // Of a password that nobody has. Made ahead, or the first one to need it would wait longer.
  const nobody = hashPassword(randomBytes(32).toString('hex'));
  return async (stored, password) => {
    const normalized = normalizePassword(password);
    const compared = stored ?? (await nobody);
    let isRight = await verify(compared, normalized);
    let isCurrent = isRight && isMadeAsNow(compared);
    if (!isRight && normalized !== password) {
      // Hashes from before passwords were normalised are of what was typed.
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

import { hash, parseOptions, verify } from '@node-rs/argon2';
import { createHash, randomBytes } from 'node:crypto';

/** argon2id with the least that OWASP recommends: 19 MiB, two passes, one lane. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Longer ones are nobody's: refused, so that nobody makes us hash books. */
const MAX_LENGTH = 1000;

/** What a password turned out to be. `outdated`: right, but hashed with parameters of the past. */
export type PasswordVerdict = 'right' | 'outdated' | 'wrong';

/**
 * Judges a password. It does the same work, and so takes the same time, whether there is a hash to
 * compare it with or not, and however long it is: no answer tells which accounts exist.
 *
 * @param stored the account's hash; `undefined` if there is no such account
 */
export type PasswordCheck = (
  stored: string | undefined,
  password: string,
) => Promise<PasswordVerdict>;

/** @returns the password's argon2id hash, in its PHC string format */
export function hashPassword(password: string): Promise<string> {
  return hash(password, PARAMETERS);
}

/** Tells one password from its successor, and nothing else about it. */
export function markOf(passwordHash: string): string {
  return createHash('sha256').update(passwordHash).digest('hex');
}

export function createPasswordCheck(): PasswordCheck {
  // Of a password that nobody has. Made ahead, or the first one to need it would wait longer.
  const nobody = hashPassword(randomBytes(32).toString('hex'));
  return async (stored, password) => {
    if (stored === undefined || password.length > MAX_LENGTH) {
      await verify(await nobody, password.slice(0, MAX_LENGTH));
      return 'wrong';
    }
    if (!(await verify(stored, password))) return 'wrong';
    const { memoryCost, timeCost, parallelism } = parseOptions(stored);
    const isCurrent =
      memoryCost === PARAMETERS.memoryCost &&
      timeCost === PARAMETERS.timeCost &&
      parallelism === PARAMETERS.parallelism;
    return isCurrent ? 'right' : 'outdated';
  };
}

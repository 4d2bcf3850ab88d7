import type { Options } from '@node-rs/argon2';
import { createHash, randomBytes } from 'node:crypto';

import { normalizePassword } from './password-policy.js';
import {
  type ImportedHash,
  isImported,
  loadArgon2,
  readStoredHash,
} from './passwords/imported-hash.js';

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
 * timing does not reveal which accounts exist. While accounts have hashes of another system, each check also does the work
 * of the costliest one, which its own takes the place of.
 *
 * @param stored the account's hash; `undefined` for an unknown account
 * @param costliest the imported hash of any account that takes longest to check
 */
export type PasswordCheck = (
  stored: string | undefined,
  password: string,
  costliest?: string,
) => Promise<PasswordVerdict>;

/** @returns the normalised password's argon2id hash, in its PHC string format */
export async function hashPassword(password: string): Promise<string> {
  const { hash } = await loadArgon2();
  return hash(normalizePassword(password), PARAMETERS);
}

/** A mark that changes with the password and reveals nothing about it. */
export function markOf(passwordHash: string): string {
  return createHash('sha256').update(passwordHash).digest('hex');
}

export function createPasswordCheck(): PasswordCheck {
  const unmatchable = unmatchableHash();
  return async (stored, password, costliest) => {
    const hasOwn = stored !== undefined && stored !== NO_PASSWORD && !isImported(stored);
    const imported = stored === undefined ? undefined : readStoredHash(stored);
    const masking = costliest === undefined ? undefined : readStoredHash(costliest);
    // At once, so that a check takes as long as the slowest of them, whichever is the account's own.
    const [own, matched] = await Promise.all([
      checkOwn(hasOwn ? stored : unmatchable, password),
      imported !== undefined &&
        matches((candidate) => verifyImported(imported, candidate), password),
      masking !== undefined &&
        masking.form !== imported?.form &&
        matches((candidate) => verifyImported(masking, candidate), password),
    ]);
    const { isRight, isCurrent } = hasOwn ? own : { isRight: matched !== false, isCurrent: false };
    if (!isRight) return { isRight };
    return isCurrent ? { isRight } : { isRight, renewedHash: await hashPassword(password) };
  };
}

/** A hash that its library cannot check matches no password. It must not end the sign-ins of others. */
async function verifyImported(imported: ImportedHash, password: string): Promise<boolean> {
  return imported.verify(password).catch(() => false);
}

/** Whether a hash of our own, or the unmatchable one, is the password's, and made as new ones are. */
async function checkOwn(hashed: string, password: string) {
  const { parseOptions, verify } = await loadArgon2();
  const matched = await matches((candidate) => verify(hashed, candidate), password);
  // Hashes of earlier releases are of passwords that were not normalised.
  return {
    isRight: matched !== false,
    isCurrent: matched === 'normalized' && isMadeAsNow(parseOptions(hashed)),
  };
}

/** Tries the normalised password, and then the password as it was typed. */
async function matches(
  check: (candidate: string) => Promise<boolean>,
  password: string,
): Promise<'normalized' | 'typed' | false> {
  const normalized = normalizePassword(password);
  if (await check(normalized)) return 'normalized';
  return normalized !== password && (await check(password)) ? 'typed' : false;
}

/** A well-formed hash that no known password has. It takes as long to compare as one that `hashPassword` made. */
function unmatchableHash(): string {
  const { memoryCost, timeCost, parallelism } = PARAMETERS;
  const random = (bytes: number) => randomBytes(bytes).toString('base64').replaceAll('=', '');
  const parameters = `m=${memoryCost},t=${timeCost},p=${parallelism}`;
  return `$argon2id$v=19$${parameters}$${random(16)}$${random(32)}`;
}

function isMadeAsNow({ memoryCost, timeCost, parallelism }: Options): boolean {
  return (
    memoryCost === PARAMETERS.memoryCost &&
    timeCost === PARAMETERS.timeCost &&
    parallelism === PARAMETERS.parallelism
  );
}

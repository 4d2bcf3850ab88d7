import { randomInt } from 'node:crypto';

/** Letters that form no words and are not mistaken for digits (RFC 8628 §6.1). Eight of them have 34 bits. */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';
const LENGTH = 8;
const CODE = new RegExp(`^[${LETTERS}]{${LENGTH}}$`);
/** Longer texts are not read. */
const MAX_TYPED = 64;

/** A new user code, without its dash. */
export function createUserCode(): string {
  return Array.from({ length: LENGTH }, () => LETTERS.charAt(randomInt(LETTERS.length))).join('');
}

/** The code as people read it, such as `BCDF-GHJK`. */
export function showUserCode(code: string): string {
  return `${code.slice(0, LENGTH / 2)}-${code.slice(LENGTH / 2)}`;
}

/**
 * Reads a typed code, in any case and with any separators.
 * @returns `undefined` if it cannot be a code
 */
export function readUserCode(typed: string): string | undefined {
  if (typed.length > MAX_TYPED) return undefined;
  const code = typed.toUpperCase().replaceAll(/[\s\p{P}]/gu, '');
  return CODE.test(code) ? code : undefined;
}

import { z } from 'zod';

import { createCommonPasswords } from './common-passwords.js';

/** Maximum size in bytes of UTF-8. Longer passwords are never hashed or normalised: that would be a denial of service. */
export const MAX_PASSWORD_BYTES = 1000;

/** Minimum length of a new password in Unicode code points (NIST SP 800-63B §5.1.1.2). */
const MIN_LENGTH = 8;
const MAX_LENGTH = 200;

const isCommon = createCommonPasswords(MIN_LENGTH);

/** Whether a text has more bytes than a limit. Reads no more of the text than needed. */
export function isLongerThan(text: string, bytes: number): boolean {
  return text.length > bytes || Buffer.byteLength(text) > bytes;
}

/**
 * The form in which passwords are hashed: NFKC, which NIST SP 800-63B §5.1.1.2 names. Unlike the NFC of RFC 8265
 * it also joins full-width letters and ligatures, which keyboards and password managers produce for the same key.
 *
 * @param password of at most `MAX_PASSWORD_BYTES`
 */
export function normalizePassword(password: string): string {
  return password.normalize('NFKC');
}

/** @returns the reason why a new password is refused, as the end of a sentence; `undefined` if it is accepted */
export function passwordFault(password: string): string | undefined {
  const tooLong = `must have at most ${MAX_LENGTH} characters`;
  if (isLongerThan(password, MAX_PASSWORD_BYTES)) return tooLong;
  const normalized = normalizePassword(password);
  const { length } = Array.from(normalized);
  if (length < MIN_LENGTH) return `must have at least ${MIN_LENGTH} characters`;
  if (length > MAX_LENGTH) return tooLong;
  if (isCommon(normalized)) return 'must not be a common password, which attackers try first';
  return undefined;
}

/** Schema of a new password. */
export const newPassword = z.string().superRefine((password, context) => {
  const message = passwordFault(password);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

import { randomBytes } from 'node:crypto';

import { newPassword } from '../../accounts/password-policy.js';
import { readText } from '../../http/body/input-lines.js';
import { Misuse } from '../errors.js';
import { parseOption } from '../parse-option.js';

/**
 * The password on standard input.
 * @throws Misuse if it may not be chosen
 */
export function readNewPassword(input: Uint8Array): string {
  const given = readText(input);
  if (given === undefined) throw new Misuse('--password-stdin: is not UTF-8');
  return parseOption('password-stdin', newPassword, given.replace(/\r?\n$/, ''));
}

export function generatePassword(): string {
  return randomBytes(12).toString('base64url');
}

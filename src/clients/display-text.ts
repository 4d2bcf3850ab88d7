import { z } from 'zod';

/**
 * What cannot be seen but changes what is: control characters, direction overrides, zero-width and
 * filling characters, private use, and the blank of Braille.
 */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Co}\u2800]/gu;

/**
 * Text that a stranger wrote and users are shown, on one line: blanks of any kind become one
 * space, invisible characters are left out, the rest is composed (NFC).
 *
 * They are left out and not refused: names use some of them in good faith, such as the joiners
 * within emoji.
 */
export function displayText(max: number) {
  return z
    .string()
    .refine(
      (value) => value.isWellFormed() && !value.includes('\0'),
      'holds characters that are not allowed',
    )
    .transform((value) =>
      value
        .replaceAll(/\s/g, ' ')
        .replaceAll(INVISIBLE, '')
        .replaceAll(/ +/g, ' ')
        .normalize('NFC')
        .trim(),
    )
    .pipe(z.string().max(max, `may have ${max} characters`));
}

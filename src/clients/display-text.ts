import { z } from 'zod';

import { boundedText } from '../http/bounded.js';

/** Characters that cannot be seen are left out; so many more may be sent. */
const SENT_PER_KEPT = 2;

/**
 * Characters that are invisible, or that change how others look: controls, direction overrides,
 * zero-width and filling characters, private use, and the blank of Braille.
 */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Co}\u2800]/gu;

/**
 * Text from a stranger that users are shown, on one line: blanks of any kind become one space,
 * invisible characters are left out, the rest is composed (NFC).
 *
 * They are left out and not refused: names use some of them in good faith, such as the joiners
 * within emoji. The length is bounded first, because composing is quadratic in combining marks.
 */
export function displayText(max: number) {
  const message = `may have ${max} characters`;
  const visible = z
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
    .pipe(z.string().max(max, message));
  return boundedText(max * SENT_PER_KEPT, visible, message);
}

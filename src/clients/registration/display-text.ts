import { z } from 'zod';

import { boundedText } from '../../http/body/bounded.js';

/** Input may be longer than the limit by this factor, because invisible characters are removed. */
const SENT_PER_KEPT = 2;

/**
 * Characters that are invisible, or that change how others look: controls, direction overrides,
 * zero-width and filling characters, private use, and the blank of Braille.
 */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Co}\u2800]/gu;

/**
 * Untrusted text for display on one line: whitespace becomes one space, invisible characters are removed, the rest is
 * normalized (NFC).
 *
 * Invisible characters are removed instead of refused, because legitimate names contain some, such as the joiners in
 * emoji. The length is limited first, because NFC is quadratic in combining marks.
 */
export function displayText(max: number) {
  const message = `may have ${max} characters`;
  const visible = z
    .string()
    .refine(
      (value) => value.isWellFormed() && !value.includes('\0'),
      'contains characters that are not allowed',
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

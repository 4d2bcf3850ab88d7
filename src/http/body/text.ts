/**
 * Characters that change the display of the text around them: control characters (C0, C1), line and paragraph
 * separators, and direction marks, embeddings, overrides and isolates (UAX #9).
 */
const UNSAFE = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

/** As `UNSAFE`, except tab, line feed and carriage return. */
const UNSAFE_IN_LINES =
  /(?![\t\n\r])[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

/** Control, format, surrogate and private-use characters, and separators other than the space. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/** Whether a text can be displayed on one line without changing the text around it. */
export function isSingleLine(text: string): boolean {
  return text.isWellFormed() && !UNSAFE.test(text);
}

/** As `isSingleLine`, for text that may have several lines. */
export function isPlainText(text: string): boolean {
  return text.isWellFormed() && !UNSAFE_IN_LINES.test(text);
}

/** A credential of any brand, also one that is cut off. */
const CREDENTIAL = /([a-z][a-z\d]{1,15}_[a-z_]{2,10}_)[\dA-Za-z]{30,}/g;

/** Masks credentials in a text that quotes a request, such as the name of a parameter. */
export function maskCredentials(text: string): string {
  return text.replaceAll(CREDENTIAL, '$1…');
}

/** Escapes each character that a terminal would interpret or hide, as `\u{1b}`. */
export function escapeUnprintable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) => `\\u{${codeOf(character)}}`);
}

/** The same with JSON escapes, which do not change the value. */
export function escapeUnprintableJson(json: string): string {
  return json.replaceAll(UNPRINTABLE, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

function codeOf(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16);
}

/** Length of an imported key in characters. Shorter keys are guessable, longer ones are refused. */
export const KEY_LENGTH = { min: 16, max: 512 } as const;

/** A named form of keys, such as `hex32`, `base62-40` or `uuid`. */
export interface KeyPattern {
  readonly name: string;
  /** Whether a text has this form. Never throws. */
  readonly matches: (text: string) => boolean;
  /** Whether a text of this form can end in these characters. */
  readonly mayEndIn: (end: string) => boolean;
}

/** The notation of patterns, for messages. */
export const PATTERN_FORMS = 'hexN, base62-N, base64url-N (N characters) or uuid';

const ALPHABETS: Readonly<Record<string, string>> = {
  hex: '[0-9A-Fa-f]',
  'base62-': '[0-9A-Za-z]',
  'base64url-': '[0-9A-Za-z_-]',
};

const HEX = /^[0-9A-Fa-f]*$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Parses the name of a pattern.
 * @returns `undefined` if it is unknown; `too-short` or `too-long` if its keys are outside of `KEY_LENGTH`
 */
export function parsePattern(name: string): KeyPattern | 'too-short' | 'too-long' | undefined {
  if (name === 'uuid') {
    return { name, matches: (text) => UUID.test(text), mayEndIn: (end) => HEX.test(end) };
  }
  const [, kind = '', digits = ''] = /^(hex|base62-|base64url-)([1-9]\d{0,5})$/.exec(name) ?? [];
  const alphabet = ALPHABETS[kind];
  if (alphabet === undefined) return undefined;
  const length = Number(digits);
  if (length < KEY_LENGTH.min) return 'too-short';
  if (length > KEY_LENGTH.max) return 'too-long';
  const form = new RegExp(`^${alphabet}{${length}}$`);
  const end = new RegExp(`^${alphabet}*$`);
  return {
    name,
    matches: (text) => text.length === length && form.test(text),
    mayEndIn: (text) => end.test(text),
  };
}

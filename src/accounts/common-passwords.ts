import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** Keyboard rows and the alphabet, for sequences. Digits continue after 9. */
const ROWS = [
  'abcdefghijklmnopqrstuvwxyz',
  '01234567890123456789',
  '1234567890-=',
  'qwertyuiop[]',
  'asdfghjkl;',
  'zxcvbnm,./',
];
const RUNS = [...ROWS, ...ROWS.map((row) => row.split('').toReversed().join(''))];

const REPEATED = /^(.{1,8})\1+$/su;

const DAY = '(?:0[1-9]|[12]\\d|3[01])';
const MONTH = '(?:0[1-9]|1[0-2])';
const YEAR = '(?:19|20)\\d\\d';
const DATE = new RegExp(`^(?:${DAY}${MONTH}${YEAR}|${MONTH}${DAY}${YEAR}|${YEAR}${MONTH}${DAY})$`);

/** Invisible characters, copied along with a password or added to evade this list. */
const UNSEEN = /^\s+|\s+$|\p{Default_Ignorable_Code_Point}/gu;

/** @returns whether a password is common, regardless of case and invisible characters */
export type IsCommonPassword = (normalized: string) => boolean;

/**
 * Loads the list at the first use: 3 MB, needed only by processes that set passwords. Patterns are recognised by rule
 * (NIST SP 800-63B §5.1.1.2).
 *
 * @param minLength shorter passwords are refused anyway and not loaded
 */
export function createCommonPasswords(minLength: number): IsCommonPassword {
  let listed: ReadonlySet<string> | undefined;
  return (normalized) => {
    const password = normalized.replaceAll(UNSEEN, '').toLowerCase();
    if (REPEATED.test(password) || DATE.test(password)) return true;
    if (RUNS.some((run) => run.includes(password))) return true;
    listed ??= readList(minLength);
    return listed.has(password);
  };
}

function readList(minLength: number): ReadonlySet<string> {
  const { dictionary } = require('@zxcvbn-ts/language-common') as {
    readonly dictionary: { readonly 'passwords-common': readonly string[] };
  };
  return new Set(dictionary['passwords-common'].filter(({ length }) => length >= minLength));
}

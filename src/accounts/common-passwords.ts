import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** Rows of keys and letters that are typed one after the other; digits run on past 9. */
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

/** Copied along with a password, or added to get around this list. None of them is seen. */
const UNSEEN = /^\s+|\s+$|\p{Default_Ignorable_Code_Point}/gu;

/** @returns whether attackers try a password first, however its letters are capitalised, and whatever cannot be seen */
export type IsCommonPassword = (normalized: string) => boolean;

/**
 * Reads the list at the first question: 3 MB that only a process needs in which passwords are set. The list
 * leaves out patterns, which are recognised by rule (NIST SP 800-63B §5.1.1.2).
 *
 * @param minLength shorter ones are refused anyway and need not be kept
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

import { nearestTo } from '../http/errors/nearest.js';
import { Misuse } from './errors.js';

/** How the text of an option or argument becomes its value. */
export interface ValueType<Value> {
  /** @throws Misuse with a message that follows the option's name, such as "must be one of live, test" */
  readonly read: (text: string) => Value;
  /** All values there are; help and completion list them. */
  readonly choices?: readonly string[];
}

/** One of a few words. */
export function oneOf<const Choice extends string>(choices: readonly Choice[]): ValueType<Choice> {
  return {
    choices,
    read(text) {
      const choice = choices.find((known) => known === text);
      if (choice !== undefined) return choice;
      const near = nearestTo(text, choices);
      const hint = near === undefined ? '' : `: did you mean ${near}?`;
      throw new Misuse(`must be one of ${choices.join(', ')}${hint}`);
    },
  };
}

/** A whole number within bounds, both included. */
export function wholeNumber(
  least: number,
  most: number,
  what = 'a whole number',
): ValueType<number> {
  return {
    read(text) {
      const number = Number(text);
      if (/^\d{1,10}$/.test(text) && number >= least && number <= most) return number;
      throw new Misuse(`must be ${what} from ${least} to ${most}`);
    },
  };
}

/** A value of another type, or a word that stands for none. */
export function orWord<Value, const Word extends string>(
  type: ValueType<Value>,
  word: Word,
): ValueType<Value | Word> {
  return { read: (text) => (text === word ? word : type.read(text)) };
}

const UNITS: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  y: 31_536_000,
};

/** A hundred years; later times exceed the range of JavaScript and PostgreSQL. */
const MAX_SECONDS = 100 * 31_536_000;

/**
 * A duration such as `90d` or `12h`, above 0 and up to 100 years, in seconds. The unit is required: a bare number
 * is as likely to be meant in days as in seconds.
 */
export const DURATION: ValueType<number> = {
  read(text) {
    const [, amount = '', unit = ''] = /^(\d{1,9})([smhdwy])$/.exec(text) ?? [];
    const seconds = Number(amount) * (UNITS[unit] ?? 0);
    if (/^\d+$/.test(text)) {
      throw new Misuse(`"${text}" lacks its unit, such as ${text}d, ${text}h or ${text}m`);
    }
    if (seconds === 0) throw new Misuse(`"${text}" is not a duration such as 90d, 12h or 30m`);
    if (seconds > MAX_SECONDS) throw new Misuse(`"${text}" is longer than 100 years`);
    return seconds;
  },
};

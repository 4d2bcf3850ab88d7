import { nearestTo } from '../http/errors/nearest.js';

/** An unknown variable, and the setting that was probably meant. */
export interface NearMiss {
  readonly name: string;
  readonly meant: string;
}

const NAME = /^[a-z_][a-z\d_]*$/i;

/** Well-known variables of other programs that resemble settings. */
const OTHERS = new Set(['AMQP_URL', 'BRANCH_NAME']);

/** Names of at least this length do not resemble each other by chance. */
const DISTINCTIVE_LENGTH = 16;

/**
 * Finds variables that were probably meant to be settings, such as `SECRET_KEY` for `SECRET_KEYS`.
 *
 * @param env all variables, including those of shells and package managers
 * @param known the names of all settings
 */
export function findNearMisses(
  env: Readonly<Record<string, string | undefined>>,
  known: readonly string[],
): readonly NearMiss[] {
  return Object.keys(env).flatMap((name) => {
    if (known.includes(name) || OTHERS.has(name) || !NAME.test(name)) return [];
    // npm sets a variable for each of its settings.
    if (name.startsWith('npm_')) return [];
    const meant = nearestTo(name, known, changesAllowed(name));
    return meant !== undefined && isSpelledAlike(name, meant) ? [{ name, meant }] : [];
  });
}

/** One sentence about a near miss, without its value. */
export function describeNearMiss({ name, meant }: NearMiss): string {
  return `${name} is not read: did you mean ${meant}?`;
}

function changesAllowed({ length }: string): number {
  return length < DISTINCTIVE_LENGTH ? Math.max(1, Math.floor(length / 4)) : Math.floor(length / 3);
}

/** Whether a name is a misspelling: `DATABASE_PORT` is not one of `DATABASE_URL`. */
function isSpelledAlike(name: string, meant: string): boolean {
  if (name.length >= DISTINCTIVE_LENGTH) return true;
  const words = name.split('_');
  const meantWords = meant.split('_');
  if (words.length !== meantWords.length) return true;
  return words.every((word, index) => {
    const other = meantWords[index] ?? '';
    const longer = Math.max(word.length, other.length);
    return nearestTo(word, [other], Math.max(1, Math.floor(longer / 2))) !== undefined;
  });
}

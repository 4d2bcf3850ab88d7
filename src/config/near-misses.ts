import { nearestTo } from '../http/nearest.js';

/** A variable that nothing reads, and the one that was probably meant. */
export interface NearMiss {
  readonly name: string;
  readonly meant: string;
}

const NAME = /^[a-z_][a-z\d_]*$/i;

/** Variables of others that are near to ours by chance. */
const OTHERS = new Set(['BRANCH_NAME']);

/** Names that long are distinctive: others do not have similar ones by chance. */
const DISTINCTIVE_LENGTH = 16;

/**
 * Finds variables that were probably meant to be settings, such as `SECRET_KEY` for `SECRET_KEYS`.
 *
 * @param env all variables, those of shells, package managers and other programs among them
 * @param known the names of all settings
 */
export function findNearMisses(
  env: Readonly<Record<string, string | undefined>>,
  known: readonly string[],
): readonly NearMiss[] {
  return Object.keys(env).flatMap((name) => {
    if (known.includes(name) || OTHERS.has(name) || !NAME.test(name)) return [];
    // npm sets one for each of its own settings.
    if (name.startsWith('npm_')) return [];
    const meant = nearestTo(name, known, changesAllowed(name));
    return meant !== undefined && isSpelledAlike(name, meant) ? [{ name, meant }] : [];
  });
}

/** One sentence about a near miss, without any value. */
export function describeNearMiss({ name, meant }: NearMiss): string {
  return `${name} is not read: did you mean ${meant}?`;
}

function changesAllowed({ length }: string): number {
  return length < DISTINCTIVE_LENGTH ? Math.max(1, Math.floor(length / 4)) : Math.floor(length / 3);
}

/** `DATABASE_PORT` is another word than `DATABASE_URL`, not a misspelling. */
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

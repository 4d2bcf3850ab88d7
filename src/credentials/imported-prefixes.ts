import type { EntityManager } from 'typeorm';

import { ImportedPattern } from './imported-pattern.entity.js';
import { ImportedPrefix } from './imported-prefix.entity.js';
import { KEY_LENGTH, parsePattern, type KeyPattern } from './key-pattern.js';

/**
 * Tells which texts may be keys that were issued elsewhere: those that start, or are written, as was declared when
 * keys were imported. Everything else that is not written like ours is refused without asking the database.
 */
export interface ImportedPrefixes {
  /** Whether a text could be such a key. Never throws. */
  covers(text: string): boolean;
  /**
   * Reads them again: to be called every few seconds, as `REFRESHED_WITHIN_SECONDS` says. A prefix or pattern
   * that was declared is known here then; none is ever taken back.
   */
  refresh(): Promise<void>;
}

/** How long servers may take to know a new prefix or pattern. */
export const REFRESHED_WITHIN_SECONDS = 5;

/** One word of printable ASCII, long enough not to be guessed. */
const FOREIGN = new RegExp(`^[\\x21-\\x7e]{${KEY_LENGTH.min},${KEY_LENGTH.max}}$`);

/** @param ours what every credential of this place starts with: such texts are never foreign */
export function createImportedPrefixes(manager: EntityManager, ours: string): ImportedPrefixes {
  let prefixes: readonly string[] = [];
  let patterns: readonly KeyPattern[] = [];
  return {
    covers: (text) =>
      !text.startsWith(ours) &&
      ((prefixes.some((prefix) => text.startsWith(prefix)) && FOREIGN.test(text)) ||
        patterns.some(({ matches }) => matches(text))),
    async refresh() {
      const declared = await manager.find(ImportedPrefix);
      const written = await manager.find(ImportedPattern);
      prefixes = declared.map(({ prefix }) => prefix);
      patterns = written.flatMap(({ pattern }) => patternOf(pattern) ?? []);
    },
  };
}

const parsed = new Map<string, KeyPattern | undefined>();

function patternOf(name: string): KeyPattern | undefined {
  if (!parsed.has(name)) {
    const pattern = parsePattern(name);
    parsed.set(name, typeof pattern === 'string' ? undefined : pattern);
  }
  return parsed.get(name);
}

/**
 * Whether a text is written as its imported key was declared.
 * @param prefix empty if the key was declared by its pattern
 */
export function isWrittenAs(text: string, prefix: string, pattern: string): boolean {
  if (prefix !== '') return text.startsWith(prefix);
  return pattern !== '' && (patternOf(pattern)?.matches(text) ?? false);
}

/** What the keys of an import look like. */
export interface DeclaredForms {
  readonly prefixes: readonly string[];
  readonly patterns: readonly KeyPattern[];
}

/** @returns whether any of them is new */
export async function declareForms(
  manager: EntityManager,
  { prefixes, patterns }: DeclaredForms,
): Promise<boolean> {
  const rows = await manager.query<object[]>(
    `WITH prefixes AS (INSERT INTO imported_prefixes (prefix) SELECT unnest($1::text[])
       ON CONFLICT DO NOTHING RETURNING 1),
     patterns AS (INSERT INTO imported_patterns (pattern) SELECT unnest($2::text[])
       ON CONFLICT DO NOTHING RETURNING 1)
     SELECT FROM prefixes UNION ALL SELECT FROM patterns`,
    [prefixes, patterns.map(({ name }) => name)],
  );
  return rows.length > 0;
}

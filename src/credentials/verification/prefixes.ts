import type { EntityManager } from 'typeorm';

import { ImportedPattern } from './imported-pattern.entity.js';
import { ImportedPrefix } from './imported-prefix.entity.js';
import { KEY_LENGTH, parsePattern, type KeyPattern } from './key-pattern.js';

/**
 * The declared prefixes and patterns of imported keys. A text that matches none of them and is not a well-formed
 * credential is refused without a database query.
 */
export interface ImportedPrefixes {
  /** Whether a text could be such a key. Never throws. */
  covers(text: string): boolean;
  /**
   * Reads the declared prefixes and patterns. To be called every `REFRESHED_WITHIN_SECONDS`. Declarations are never
   * removed.
   */
  refresh(): Promise<void>;
}

/** The time within which servers know a new prefix or pattern. */
export const REFRESHED_WITHIN_SECONDS = 5;

/** One word of printable ASCII, long enough to be unguessable. */
const FOREIGN = new RegExp(`^[\\x21-\\x7e]{${KEY_LENGTH.min},${KEY_LENGTH.max}}$`);

/** @param ours the prefix of this installation's credentials, which imported keys cannot have */
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
 * Whether a text has the declared form of its imported key.
 * @param prefix empty if the key was declared by pattern
 */
export function isWrittenAs(text: string, prefix: string, pattern: string): boolean {
  if (prefix !== '') return text.startsWith(prefix);
  return pattern !== '' && (patternOf(pattern)?.matches(text) ?? false);
}

/** The declared forms of an import's keys. */
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

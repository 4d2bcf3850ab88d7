import type { EntityManager } from 'typeorm';

import { ImportedPrefix } from './imported-prefix.entity.js';

/**
 * Tells which texts may be keys that were issued elsewhere: those that start as was declared when keys
 * were imported. Everything else that is not written like ours is refused without asking the database.
 */
export interface ImportedPrefixes {
  /** Whether a text could be such a key. Never throws. */
  covers(text: string): boolean;
  /**
   * Reads them again: to be called every few seconds, as `FOLLOWED_WITHIN_SECONDS` says. A prefix that was
   * declared is known here then; none is ever taken back.
   */
  refresh(): Promise<void>;
}

/** How long servers may take to know a new prefix. */
export const FOLLOWED_WITHIN_SECONDS = 5;

/** One word of printable ASCII, long enough not to be guessed. */
const FOREIGN = /^[\x21-\x7e]{16,512}$/;

export function createImportedPrefixes(manager: EntityManager): ImportedPrefixes {
  let known: readonly string[] = [];
  return {
    covers: (text) => known.some((prefix) => text.startsWith(prefix)) && FOREIGN.test(text),
    async refresh() {
      const rows = await manager.find(ImportedPrefix);
      known = rows.map(({ prefix }) => prefix);
    },
  };
}

/** @returns whether any of them is new */
export async function declarePrefixes(
  manager: EntityManager,
  prefixes: readonly string[],
): Promise<boolean> {
  const inserted = await manager
    .createQueryBuilder()
    .insert()
    .into(ImportedPrefix)
    .values(prefixes.map((prefix) => ({ prefix })))
    .orIgnore()
    .returning('prefix')
    .execute();
  return inserted.raw.length > 0;
}

import { z } from 'zod';

import { Problem } from './errors/problem.js';
import { parseWith } from './validation.js';

const DEFAULT_LIMIT = 25;
const MAX_LIMIT = 100;

/** Signs and verifies cursors. */
export interface Signer {
  sign(text: string): string;
  isSigned(text: string, mac: string): boolean;
}

/** A requested page: up to `limit` items after the position `after`. */
export interface PageRequest {
  readonly limit: number;
  readonly after: number | undefined;
}

/** A page of a list, newest first. `cursor` leads to the next page, if there is one. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly cursor: string | null;
}

/** The query parameters of every list. */
export const PAGE_QUERY = ['limit', 'cursor'] as const;

const query = z.object({
  limit: z
    .string()
    .regex(/^\d+$/, `must be a whole number from 1 to ${MAX_LIMIT}`)
    .transform(Number)
    .pipe(z.number().min(1).max(MAX_LIMIT)),
});

/** perf: limits in canonical notation, since looking one up costs less than parsing it. */
const USUAL_LIMITS: ReadonlyMap<string | null, number> = new Map([
  [null, DEFAULT_LIMIT],
  ...Array.from({ length: MAX_LIMIT }, (_, index) => [String(index + 1), index + 1] as const),
]);

/** Keyset pagination of lists in descending order of a unique number. */
export interface Pagination {
  /**
   * Reads `limit` and `cursor`. The query check has refused repeated ones before.
   * @param list the list, its owner and its filters, to which the cursor is bound
   * @param former names of the same list in earlier releases, whose cursors are in use during an upgrade
   * @throws Problem `bad_request` for a cursor that was altered or belongs to another list
   */
  read(
    search: URLSearchParams,
    list: readonly string[],
    former?: readonly (readonly string[])[],
  ): PageRequest;
  /**
   * Makes a page from the items of a store.
   * @param found up to `limit + 1` items; the additional one indicates that there is a next page
   * @param positionOf the number of an item, which a cursor holds
   * @param resumeAfter the position at which a search stopped early; the next page continues there
   */
  page<Item>(
    found: readonly Item[],
    request: PageRequest,
    list: readonly string[],
    positionOf: (item: Item) => number,
    resumeAfter?: number,
  ): Page<Item>;
}

/** @param signer signs cursors, so that clients cannot make or alter them */
export function createPagination(signer: Signer): Pagination {
  const signed = (position: string, list: readonly string[]) =>
    JSON.stringify(['cursor', ...list, position]);

  return {
    read(search, list, former = []) {
      const given = search.get('limit');
      const limit = USUAL_LIMITS.get(given) ?? parseWith(query, { limit: given }).limit;
      const cursor = search.get('cursor');
      if (cursor === null) return { limit, after: undefined };
      const [, position = '', mac = ''] = /^(\d{1,16})\.(\w+)$/.exec(cursor) ?? [];
      const isOf = (named: readonly string[]) => signer.isSigned(signed(position, named), mac);
      if (position === '' || ![list, ...former].some(isOf)) {
        throw new Problem('bad_request', 'The cursor was not made by this list, or was altered.');
      }
      return { limit, after: Number(position) };
    },
    page(found, { limit }, list, positionOf, resumeAfter) {
      const items = found.slice(0, limit);
      const last = found.length > limit ? items.at(-1) : undefined;
      const next = last === undefined ? resumeAfter : positionOf(last);
      if (next === undefined) return { items, cursor: null };
      const position = String(next);
      return { items, cursor: `${position}.${signer.sign(signed(position, list))}` };
    },
  };
}

import { z } from 'zod';

import { Problem } from './errors/problem.js';
import { parseWith } from './validation.js';

const DEFAULT_LIMIT = 25;
const MAX_LIMIT = 100;

/** Cursors: a position and its signature. */
const ONE_NUMBER = /^(\d{1,16})\.(\w+)$/;
const TWO_NUMBERS = /^(\d{1,16}-\d{1,16})\.(\w+)$/;
/** Text as base64url. */
const TEXT = /^([\w-]{1,4000})\.(\w+)$/;

/** Signs and verifies cursors. */
export interface Signer {
  sign(text: string): string;
  isSigned(text: string, mac: string): boolean;
}

/** A requested page: up to `limit` items after the position `after`. */
export interface PageRequest<Position = number> {
  readonly limit: number;
  readonly after: Position | undefined;
}

/** A page of a list, newest first. `cursor` leads to the next page, if there is one. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly cursor: string | null;
  /** Whether there is more; by default, whether there is a cursor. The cursor of a feed leads to what comes later. */
  readonly hasMore?: boolean;
}

/** The query parameters of every list. */
export const PAGE_QUERY = z.object({
  limit: z
    .string()
    .regex(/^\d+$/, `must be a whole number from 1 to ${MAX_LIMIT}`)
    .transform(Number)
    .pipe(z.number().min(1).max(MAX_LIMIT))
    .default(DEFAULT_LIMIT),
  cursor: z.string().optional(),
});

/** `limit` and `cursor`, as `PAGE_QUERY` parsed them. */
export type PageQuery = z.output<typeof PAGE_QUERY>;

/** A position in a list that is ordered by two numbers. */
export type PairPosition = readonly [number, number];

/** Keyset pagination of lists in descending order of a unique number. */
export interface Pagination {
  /**
   * Reads a cursor.
   * @param query as `PAGE_QUERY` parsed it, or the query of a page
   * @param list the list, its owner and its filters, to which the cursor is bound
   * @param former names of the same list in earlier releases, whose cursors are in use during an upgrade
   * @throws Problem `bad_request` for a cursor that was altered or belongs to another list
   */
  read(
    query: PageQuery | URLSearchParams,
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
  /** As `read`, for a list in descending order of two numbers, of which the pair is unique. */
  readPair(query: PageQuery | URLSearchParams, list: readonly string[]): PageRequest<PairPosition>;
  /** As `page`, for such a list. */
  pagePair<Item>(
    found: readonly Item[],
    request: PageRequest<PairPosition>,
    list: readonly string[],
    positionOf: (item: Item) => PairPosition,
    resumeAfter?: PairPosition,
  ): Page<Item>;
  /** As `read`, for a list in the order of a unique text. */
  readText(query: PageQuery, list: readonly string[]): PageRequest<string>;
  /** The cursor behind a position of such a list. */
  cursorText(position: string, list: readonly string[]): string;
  /** As `page`, for such a list. */
  pageText<Item>(
    found: readonly Item[],
    request: PageRequest<string>,
    list: readonly string[],
    positionOf: (item: Item) => string,
    resumeAfter?: string,
  ): Page<Item>;
}

/** @param signer signs cursors, so that clients cannot make or alter them */
export function createPagination(signer: Signer): Pagination {
  const signed = (position: string, list: readonly string[]) =>
    JSON.stringify(['cursor', ...list, position]);

  /** @param form the form of a position, as the pattern of a regular expression */
  function read(
    query: PageQuery | URLSearchParams,
    form: RegExp,
    lists: readonly (readonly string[])[],
  ): PageRequest<string> {
    const { limit, cursor } = parsed(query);
    if (cursor === undefined) return { limit, after: undefined };
    const [, position = '', mac = ''] = form.exec(cursor) ?? [];
    const isOf = (list: readonly string[]) => signer.isSigned(signed(position, list), mac);
    if (position === '' || !lists.some(isOf)) {
      throw new Problem('bad_request', 'The cursor was not made by this list, or was altered.');
    }
    return { limit, after: position };
  }

  const cursorOf = (position: string, list: readonly string[]) =>
    `${position}.${signer.sign(signed(position, list))}`;

  function page<Item>(
    found: readonly Item[],
    limit: number,
    list: readonly string[],
    positionOf: (item: Item) => string,
    resumeAfter: string | undefined,
  ): Page<Item> {
    const items = found.slice(0, limit);
    const last = found.length > limit ? items.at(-1) : undefined;
    const position = last === undefined ? resumeAfter : positionOf(last);
    if (position === undefined) return { items, cursor: null };
    return { items, cursor: cursorOf(position, list) };
  }

  return {
    read(query, list, former = []) {
      const { limit, after } = read(query, ONE_NUMBER, [list, ...former]);
      return { limit, after: after === undefined ? undefined : Number(after) };
    },
    page: (found, { limit }, list, positionOf, resumeAfter) =>
      page(found, limit, list, (item) => String(positionOf(item)), resumeAfter?.toString()),
    readPair(query, list) {
      const { limit, after } = read(query, TWO_NUMBERS, [list]);
      if (after === undefined) return { limit, after };
      const [first = 0, second = 0] = after.split('-').map(Number);
      return { limit, after: [first, second] };
    },
    pagePair: (found, { limit }, list, positionOf, resumeAfter) =>
      page(found, limit, list, (item) => positionOf(item).join('-'), resumeAfter?.join('-')),
    readText(query, list) {
      const { limit, after } = read(query, TEXT, [list]);
      const text = after === undefined ? undefined : Buffer.from(after, 'base64url').toString();
      return { limit, after: text };
    },
    cursorText: (position, list) => cursorOf(toBase64Url(position), list),
    pageText(found, { limit }, list, positionOf, resumeAfter) {
      const resumed = resumeAfter === undefined ? undefined : toBase64Url(resumeAfter);
      return page(found, limit, list, (item) => toBase64Url(positionOf(item)), resumed);
    },
  };
}

function toBase64Url(text: string): string {
  return Buffer.from(text).toString('base64url');
}

function parsed(query: PageQuery | URLSearchParams): PageQuery {
  if (!(query instanceof URLSearchParams)) return query;
  return parseWith(PAGE_QUERY, Object.fromEntries(query));
}

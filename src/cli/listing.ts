import {
  defineCommand,
  defineSharedCommand,
  type CommandContext,
  type DatabaseCommand,
  type OptionDeclarations,
  type ValuesOf,
} from './command.js';
import type { Backend } from './context.js';
import { Misuse } from './errors.js';
import { wholeNumber } from './value-types.js';

/** Rows of one page of the database. */
const PAGE = 500;
const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1_000_000_000;

/** One page of a list, in the list's order. */
export interface ListPage<Item, Position> {
  readonly items: readonly Item[];
  /** Where the next page begins; `undefined` at the end of the list. */
  readonly next: Position | undefined;
}

/** Reads a page of up to `limit` items, from behind the position `after`. */
export type ReadPage<Item, Position> = (request: {
  readonly limit: number;
  readonly after: Position | undefined;
}) => Promise<ListPage<Item, Position>>;

/** A list that can be read: its pages, and how an item is shown. */
export interface OpenList<Item, Position> {
  readonly read: ReadPage<Item, Position>;
  readonly present: (item: Item) => object;
}

/** The result of a command that lists: read page by page while it is printed, so that memory stays flat. */
export class Listing {
  /**
   * @param pages each shown as one JSON value per item; the last may be empty
   * @param hasMore whether there was more than the limit, once all pages are read
   */
  constructor(
    readonly pages: AsyncIterable<readonly object[]>,
    readonly hasMore: () => boolean,
  ) {}
}

interface ListDeclaration<Options, Item, Position, Context> {
  readonly name: string;
  readonly summary: string;
  readonly details?: string;
  readonly options?: Options;
  readonly examples: readonly string[];
  readonly columns?: readonly string[];
  open(context: Context, values: ValuesOf<unknown, Options>): Promise<OpenList<Item, Position>>;
}

const LIMITS = {
  limit: {
    value: 'N',
    type: wholeNumber(1, MAX_LIMIT),
    summary: `list up to N (${DEFAULT_LIMIT} by default)`,
  },
  all: { summary: 'list all' },
} as const;

/**
 * A command that lists: `--limit` items, 50 by default, or `--all`. It holds no transaction open while its
 * output is taken.
 */
export function defineList<
  Item,
  Position,
  const Options extends OptionDeclarations = Record<never, never>,
>(list: ListDeclaration<Options, Item, Position, CommandContext>): DatabaseCommand {
  return defineCommand(listCommand(list));
}

/** As `defineList`, for a list that is also read at a running server. */
export function defineSharedList<
  Item,
  Position,
  const Options extends OptionDeclarations = Record<never, never>,
>(list: ListDeclaration<Options, Item, Position, Backend>): DatabaseCommand {
  return defineSharedCommand(listCommand(list));
}

function listCommand<Item, Position, Options extends OptionDeclarations, Context>(
  list: ListDeclaration<Options, Item, Position, Context>,
) {
  return {
    ...list,
    options: { ...list.options, ...LIMITS } as Options & typeof LIMITS,
    commitsItself: true,
    async run(context: Context, values: object) {
      const { limit, all } = values as ValuesOf<unknown, typeof LIMITS>;
      if (all && limit !== undefined) throw new Misuse('Give --limit or --all, not both.');
      const most = all ? Infinity : (limit ?? DEFAULT_LIMIT);
      return listingOf(await list.open(context, values as ValuesOf<unknown, Options>), most);
    },
  } as const;
}

function listingOf<Item, Position>(
  { read, present }: OpenList<Item, Position>,
  limit: number,
): Listing {
  let hasMore = false;
  async function* pages() {
    let left = limit;
    for (let after: Position | undefined; ;) {
      const { items, next } = await read({ limit: Math.min(PAGE, left), after });
      left -= items.length;
      yield items.map(present);
      if (next === undefined) return;
      if (left <= 0) {
        hasMore = true;
        return;
      }
      after = next;
    }
  }
  return new Listing(pages(), () => hasMore);
}

/**
 * The page among up to one row more than was asked for.
 * @param resumeAfter where a search stopped before the end of the list
 */
export function pageOf<Item, Position>(
  found: readonly Item[],
  limit: number,
  positionOf: (item: Item) => Position,
  resumeAfter?: Position,
): ListPage<Item, Position> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  const next = found.length > limit && last !== undefined ? positionOf(last) : resumeAfter;
  return { items, next };
}

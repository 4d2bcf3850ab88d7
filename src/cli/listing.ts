import type { Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { finished } from 'node:stream/promises';

import { createTableRenderer, renderJson } from './output.js';
import { Misuse, type Arguments, type Command, type CommandContext } from './command.js';

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

interface ListCommand<Item, Position> extends Pick<
  Command,
  'name' | 'usage' | 'summary' | 'options'
> {
  /** @returns the function that reads the pages of the list that the arguments mean */
  readonly open: (
    context: CommandContext,
    args: Arguments,
  ) => Promise<{
    readonly read: ReadPage<Item, Position>;
    readonly present: (item: Item) => object;
  }>;
}

/**
 * A command that lists: `--limit` items, 50 by default, or `--all`. It holds no transaction open while its
 * output is taken.
 */
export function listCommand<Item, Position>({
  open,
  ...command
}: ListCommand<Item, Position>): Command {
  return {
    ...command,
    usage: `${command.usage} [--limit N | --all]`.trimStart(),
    options: { ...command.options, limit: { type: 'string' }, all: { type: 'boolean' } },
    positionals: [0, 0],
    commitsItself: true,
    async run(context, args) {
      const limit = limitOf(args);
      const { read, present } = await open(context, args);
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
    },
  };
}

/** @throws Misuse for anything but a whole number above 0, and for both options at once */
function limitOf(args: Arguments): number {
  const text = args.option('limit');
  if (args.flag('all')) {
    if (text !== undefined) throw new Misuse('Give --limit or --all, not both.');
    return Infinity;
  }
  const limit = text === undefined ? DEFAULT_LIMIT : Number(text);
  if (text !== undefined && (!/^\d{1,10}$/.test(text) || limit < 1 || limit > MAX_LIMIT)) {
    throw new Misuse(`--limit must be a whole number from 1 to ${MAX_LIMIT}; --all lists all.`);
  }
  return limit;
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

/** The reader stopped taking the output, as `head` does. */
export class OutputClosed extends Error {}

/**
 * Prints a list: with `isJson` one JSON array, otherwise a table. Waits for the reader after each page.
 * @throws OutputClosed if nobody takes the output any more
 */
export async function writeListing(
  { pages, hasMore }: Listing,
  { output, messages, isJson }: { output: Writable; messages: Writable; isJson: boolean },
): Promise<void> {
  const closed = finished(output, { readable: false, cleanup: true }).catch(() => undefined);
  let isClosed = false;
  void closed.then(() => {
    isClosed = true;
  });
  const write = async (text: string) => {
    if (isClosed || output.destroyed) throw new OutputClosed();
    if (text === '' || output.write(text)) return nextTurn();
    await Promise.race([new Promise<void>((resolve) => output.once('drain', resolve)), closed]);
  };
  const table = createTableRenderer();
  let isFirst = true;
  for await (const page of pages) {
    if (page.length === 0) continue;
    const lead = isFirst ? '[' : ',';
    await write(isJson ? lead + page.map(renderJson).join(',') : `${table(page)}\n`);
    isFirst = false;
  }
  if (isJson) await write(isFirst ? '[]\n' : ']\n');
  else if (isFirst) await write('None.\n');
  if (hasMore()) {
    messages.write('There is more: --limit N lists up to N, --all lists all.\n');
  }
}

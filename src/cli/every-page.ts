import type { PageRequest } from '../http/pagination.js';

const PAGE = 1000;

/**
 * All of a list, fetched page by page.
 * @param list newest first, up to one more than asked for
 * @param positionOf the number that the list is ordered by
 */
export async function everyPage<Item>(
  list: (page: PageRequest) => Promise<readonly Item[]>,
  positionOf: (item: Item) => string,
): Promise<readonly Item[]> {
  const all: Item[] = [];
  for (let after: number | undefined; ;) {
    const found = await list({ limit: PAGE, after });
    const items = found.slice(0, PAGE);
    all.push(...items);
    const last = items.at(-1);
    if (found.length <= PAGE || last === undefined) return all;
    after = Number(positionOf(last));
  }
}

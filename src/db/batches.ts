import { setImmediate as yieldToOthers } from 'node:timers/promises';

/** Rows per statement. Small enough to stay well within the statement timeout. */
const BATCH_SIZE = 1000;

/**
 * Repeats a statement on a bounded number of rows until fewer are left, so that a large backlog does not exceed
 * the statement timeout.
 *
 * @param step processes at most `limit` rows and returns their number
 * @param signal stops after the current statement
 * @returns the number of rows in all
 */
export async function inBatches(
  step: (limit: number) => Promise<number>,
  signal?: AbortSignal,
): Promise<number> {
  let total = 0;
  while (!signal?.aborted) {
    const rows = await step(BATCH_SIZE);
    total += rows;
    if (rows < BATCH_SIZE) break;
    await yieldToOthers();
  }
  return total;
}

/**
 * Walks a table in ranges of its key, to find rows that no index finds.
 *
 * @param step looks at no more than `limit` rows after `from` (`undefined`: the first ones). `last` is the key of the
 *   last one, `null` if there were none.
 * @param signal stops after the current range
 * @returns the number of deleted rows in all
 */
export async function inRanges(
  step: (from: string | undefined, limit: number) => Promise<Range>,
  signal?: AbortSignal,
): Promise<number> {
  let total = 0;
  let from: string | undefined;
  while (!signal?.aborted) {
    const { last, deleted } = await step(from, BATCH_SIZE);
    total += deleted;
    if (last === null) break;
    from = last;
    await yieldToOthers();
  }
  return total;
}

/** A range that a step has walked. */
export interface Range {
  readonly last: string | null;
  readonly deleted: number;
}

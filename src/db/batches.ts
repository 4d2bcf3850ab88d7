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

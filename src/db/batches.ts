import { setImmediate as yieldToOthers } from 'node:timers/promises';

/** As many rows as one statement deletes or alters, well within the time that it may take. */
const AT_ONCE = 1000;

/**
 * Repeats a statement that deals with a bounded number of rows until there are fewer left: cleaning up
 * after an hour or a year is the same, and none of it runs into the time limit.
 *
 * @param step deals with so many rows at the most, and returns how many there were
 * @param signal ends it after the statement that is just running
 */
export async function inBatches(
  step: (limit: number) => Promise<number>,
  signal?: AbortSignal,
): Promise<void> {
  while (!signal?.aborted) {
    if ((await step(AT_ONCE)) < AT_ONCE) return;
    await yieldToOthers();
  }
}

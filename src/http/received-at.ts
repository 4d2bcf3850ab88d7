let current: number | undefined;

/**
 * The time, by `performance.now()`, at which the requests read in this turn of the event loop were received. It is the
 * same for all of them, however long the first ones take. Call it at the start of a request, or directly after its body
 * was read, before any other `await`.
 */
export function receivedAt(): number {
  if (current === undefined) {
    current = performance.now();
    // `setImmediate` runs after the pending input was read and before the loop waits for more.
    setImmediate(() => {
      current = undefined;
    });
  }
  return current;
}

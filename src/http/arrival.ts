let arrival: number | undefined;

/**
 * When the requests came that are read in this turn of the event loop, by `performance.now()`: all of them were
 * there before the first was looked at, however long those before them take. To be called where a
 * request begins, or as soon as its body is there, before anything else is waited for.
 */
export function timeOfArrival(): number {
  if (arrival === undefined) {
    arrival = performance.now();
    // Right after everything that came has been read, and before more is waited for.
    setImmediate(() => {
      arrival = undefined;
    });
  }
  return arrival;
}

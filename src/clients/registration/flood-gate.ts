/** Sources with a count of their own within a minute. Further ones share one count. */
const MAX_SOURCES = 100_000;
const MINUTE_MS = 60_000;

/**
 * Counts a request of a source.
 * @returns the seconds after which it may retry; `undefined` if this request may pass
 */
type FloodGate = (source: string) => number | undefined;

/**
 * A coarse limit for anonymous requests that cost more to read than to send. It is counted in the memory of this
 * process, before the body is read. The strict limit behind it uses the database.
 *
 * @param perMinute requests of one source; 0 is unlimited
 */
export function createFloodGate(perMinute: number): FloodGate {
  let counts = new Map<string, number>();
  let endsAt = performance.now() + MINUTE_MS;

  return (source) => {
    if (perMinute === 0) return undefined;
    const time = performance.now();
    if (time >= endsAt) {
      counts = new Map();
      endsAt = time + MINUTE_MS;
    }
    const name = counts.has(source) || counts.size < MAX_SOURCES ? source : '';
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return count > perMinute ? Math.max(1, Math.ceil((endsAt - time) / 1000)) : undefined;
  };
}

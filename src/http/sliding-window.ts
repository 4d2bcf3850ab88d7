/**
 * One count within a sliding window. The window is cut into slots, and what was counted in a slot leaves
 * together: never later than the window is long, and a twentieth of it earlier at the most.
 *
 * All times are milliseconds since the epoch; slots are numbered from there on.
 */
export interface SlidingCount {
  readonly id: string;
  /** All that counts now. */
  used: number;
  newest: number;
  /** By slot, modulo their number: what was counted here, and elsewhere, if anything was. */
  readonly own: number[];
  others: number[] | undefined;
}

const SLOTS = 20;

const lengthOf = (windowSeconds: number) => (windowSeconds * 1000) / SLOTS;

export function slotAt(time: number, windowSeconds: number): number {
  return Math.floor(time / lengthOf(windowSeconds));
}

/** When the units of a slot stop counting. */
export function endOf(slot: number, windowSeconds: number): number {
  return (slot + SLOTS) * lengthOf(windowSeconds);
}

export function slotEndingAt(end: number, windowSeconds: number): number {
  return Math.round(end / lengthOf(windowSeconds)) - SLOTS;
}

const ZEROS: readonly number[] = Array.from({ length: SLOTS }, () => 0);

export function createCount(id: string, slot: number): SlidingCount {
  return { id, used: 0, newest: slot, own: [...ZEROS], others: undefined };
}

/** Drops what has left the window by this slot. Time that goes back changes nothing. */
export function advance(count: SlidingCount, slot: number): void {
  if (slot <= count.newest) return;
  for (let next = Math.max(count.newest + 1, slot - SLOTS + 1); next <= slot; next += 1) {
    count.used -= unitsIn(count, next);
    count.own[next % SLOTS] = 0;
    if (count.others !== undefined) count.others[next % SLOTS] = 0;
  }
  count.newest = slot;
}

/** Counts in the newest slot. */
export function add(count: SlidingCount, units: number): void {
  const index = count.newest % SLOTS;
  count.own[index] = (count.own[index] ?? 0) + units;
  count.used += units;
}

/** Others have counted as much in a slot: what is known of that only ever grows. */
export function learn(count: SlidingCount, slot: number, units: number): void {
  // Another's clock may be ahead by a moment.
  if (slot === count.newest + 1) advance(count, slot);
  if (slot > count.newest || isOver(slot, count.newest)) return;
  const index = slot % SLOTS;
  count.others ??= [...ZEROS];
  const more = units - (count.others[index] ?? 0);
  if (more <= 0) return;
  count.others[index] = units;
  count.used += more;
}

/** What was counted here, slot by slot from one of them on. */
export function ownSince(count: SlidingCount, first: number): { slot: number; units: number }[] {
  const found = [];
  for (let slot = Math.max(first, count.newest - SLOTS + 1); slot <= count.newest; slot += 1) {
    const units = count.own[slot % SLOTS] ?? 0;
    if (units > 0) found.push({ slot, units });
  }
  return found;
}

/** Whether a slot does not count any more once another has come. */
export function isOver(slot: number, current: number): boolean {
  return current >= slot + SLOTS;
}

/** In how many seconds more of the limit is left than is now; 0 if nothing is used. */
export function secondsUntilMore(
  count: SlidingCount,
  { limit, windowSeconds, now }: { limit: number; windowSeconds: number; now: number },
): number {
  const goal = Math.min(limit, count.used);
  let used = count.used;
  for (let slot = count.newest - SLOTS + 1; slot <= count.newest; slot += 1) {
    used -= unitsIn(count, slot);
    if (used < goal) return Math.max(1, Math.ceil((endOf(slot, windowSeconds) - now) / 1000));
  }
  return 0;
}

function unitsIn({ own, others }: SlidingCount, slot: number): number {
  const index = slot % SLOTS;
  return (own[index] ?? 0) + (others?.[index] ?? 0);
}

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
  /** By slot, modulo their number: what replicas share, and what was counted here beyond that. */
  readonly shared: number[];
  readonly unsent: number[];
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

export function createCount(id: string, slot: number): SlidingCount {
  const zeros = () => Array.from({ length: SLOTS }, () => 0);
  return { id, used: 0, newest: slot, shared: zeros(), unsent: zeros() };
}

/** Drops what has left the window by this slot. Time that goes back changes nothing. */
export function advance(count: SlidingCount, slot: number): void {
  if (slot <= count.newest) return;
  for (let next = Math.max(count.newest + 1, slot - SLOTS + 1); next <= slot; next += 1) {
    count.used -= unitsIn(count, next);
    count.shared[next % SLOTS] = 0;
    count.unsent[next % SLOTS] = 0;
  }
  count.newest = slot;
}

/** Counts in the newest slot. */
export function add(count: SlidingCount, units: number): void {
  count.unsent[count.newest % SLOTS] = unsentIn(count, count.newest) + units;
  count.used += units;
}

/** Whether nothing of it counts any more by this slot. */
export function isOver(count: SlidingCount, slot: number): boolean {
  return slot >= count.newest + SLOTS;
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

/** The slots with something that was not shared yet, and how much. */
export function unsentSlots(count: SlidingCount): { slot: number; units: number }[] {
  const found = [];
  for (let slot = count.newest - SLOTS + 1; slot <= count.newest; slot += 1) {
    const units = unsentIn(count, slot);
    if (units > 0) found.push({ slot, units });
  }
  return found;
}

/** Some of what was counted here is shared now. */
export function settle(count: SlidingCount, slot: number, units: number): void {
  // The window may have left it behind meanwhile.
  if (!isWithin(count, slot)) return;
  count.shared[slot % SLOTS] = sharedIn(count, slot) + units;
  count.unsent[slot % SLOTS] = unsentIn(count, slot) - units;
}

/** Replicas together have counted as much in a slot: what is known of that only ever grows. */
export function learn(count: SlidingCount, slot: number, units: number): void {
  // Another's clock may be ahead by a moment.
  if (slot === count.newest + 1) advance(count, slot);
  const more = units - sharedIn(count, slot);
  if (!isWithin(count, slot) || more <= 0) return;
  count.shared[slot % SLOTS] = units;
  count.used += more;
}

function isWithin({ newest }: SlidingCount, slot: number): boolean {
  return slot <= newest && slot > newest - SLOTS;
}

function sharedIn({ shared }: SlidingCount, slot: number): number {
  return shared[slot % SLOTS] ?? 0;
}

function unsentIn({ unsent }: SlidingCount, slot: number): number {
  return unsent[slot % SLOTS] ?? 0;
}

function unitsIn(count: SlidingCount, slot: number): number {
  return sharedIn(count, slot) + unsentIn(count, slot);
}

import { ownText } from '../db/own-text.js';

/**
 * One count within a sliding window. The window is cut into 20 slots. The units of a slot leave the window
 * together: up to a twentieth of its length early, never late.
 *
 * All times are milliseconds since the epoch. Slots are numbered from the epoch.
 */
export interface SlidingCount {
  readonly id: string;
  /** The units within the window. */
  used: number;
  newest: number;
  /** Units by slot number modulo `SLOTS`: counted by this replica, and by others (`undefined` if none). */
  readonly own: number[];
  others: number[] | undefined;
}

const SLOTS = 20;

const lengthOf = (windowSeconds: number) => (windowSeconds * 1000) / SLOTS;

export function slotAt(time: number, windowSeconds: number): number {
  return Math.floor(time / lengthOf(windowSeconds));
}

/** The time at which the units of a slot leave the window. */
export function endOf(slot: number, windowSeconds: number): number {
  return (slot + SLOTS) * lengthOf(windowSeconds);
}

export function slotEndingAt(end: number, windowSeconds: number): number {
  return Math.round(end / lengthOf(windowSeconds)) - SLOTS;
}

const ZEROS: readonly number[] = Array.from({ length: SLOTS }, () => 0);

export function createCount(id: string, slot: number): SlidingCount {
  return { id: ownText(id), used: 0, newest: slot, own: [...ZEROS], others: undefined };
}

/** Moves the window to this slot and drops the units that left it. An earlier slot changes nothing. */
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

/** Sets the units that other replicas counted in a slot. A smaller number than known is ignored. */
export function merge(count: SlidingCount, slot: number, units: number): void {
  // The clock of another replica may be slightly ahead.
  if (slot === count.newest + 1) advance(count, slot);
  if (slot > count.newest || isOver(slot, count.newest)) return;
  const index = slot % SLOTS;
  count.others ??= [...ZEROS];
  const more = units - (count.others[index] ?? 0);
  if (more <= 0) return;
  count.others[index] = units;
  count.used += more;
}

/** The units that this replica counted, by slot, from the given slot on. */
export function ownSince(count: SlidingCount, first: number): { slot: number; units: number }[] {
  const found = [];
  for (let slot = Math.max(first, count.newest - SLOTS + 1); slot <= count.newest; slot += 1) {
    const units = count.own[slot % SLOTS] ?? 0;
    if (units > 0) found.push({ slot, units });
  }
  return found;
}

/** Whether a slot has left the window whose newest slot is `current`. */
export function isOver(slot: number, current: number): boolean {
  return current >= slot + SLOTS;
}

/** Seconds until more of the limit is left than now; 0 if nothing is used. */
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

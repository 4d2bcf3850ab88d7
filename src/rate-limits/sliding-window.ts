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
  /**
   * The slots with units, oldest first and behind the free places (see `packed`): counted by this replica, and by
   * others (`undefined` if none).
   */
  own: number[];
  others: number[] | undefined;
}

const SLOTS = 20;

/** A place for an entry. */
const FREE = 0;
/** The lengths of arrays of entries. Most need one place, and those that need many get all. */
const PLACES = [1, 2, 4, 8, SLOTS] as const;

/**
 * The units of a slot within the window as one number, which is not 0.
 * perf: most counts have units in one or two slots, and a process holds up to 100,000 counts. An array of all slots
 * would take 160 bytes.
 */
const packed = (slot: number, units: number) => units * SLOTS + (slot % SLOTS);

const unitsOf = (entry: number) => Math.floor(entry / SLOTS);

/** The slot of an entry of a window that ends with the slot `newest`. */
function slotOf(entry: number, newest: number): number {
  const age = (newest % SLOTS) - (entry % SLOTS);
  return newest - (age < 0 ? age + SLOTS : age);
}

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

export function createCount(id: string, slot: number): SlidingCount {
  return { id: ownText(id), used: 0, newest: slot, own: [], others: undefined };
}

/** Moves the window to this slot and drops the units that left it. An earlier slot changes nothing. */
export function advance(count: SlidingCount, slot: number): void {
  if (slot <= count.newest) return;
  dropOver(count, count.own, slot);
  if (count.others !== undefined) dropOver(count, count.others, slot);
  count.newest = slot;
}

function dropOver(count: SlidingCount, entries: number[], slot: number): void {
  for (let index = 0; index < entries.length; index += 1) {
    const entry = entries[index] ?? FREE;
    if (entry === FREE) continue;
    if (!isOver(slotOf(entry, count.newest), slot)) return;
    count.used -= unitsOf(entry);
    entries[index] = FREE;
  }
}

/** Counts in the newest slot. */
export function add(count: SlidingCount, units: number): void {
  const { own, newest } = count;
  const last = own.length - 1;
  const entry = own[last] ?? FREE;
  if (entry !== FREE && entry % SLOTS === newest % SLOTS) own[last] = entry + units * SLOTS;
  else if (units > 0) append(count, packed(newest, units));
  count.used += units;
}

/**
 * Adds an entry behind the others.
 * perf: in place. A new array for each slot would outlive its request, and burden the garbage collector.
 */
function append(count: SlidingCount, entry: number): void {
  const { own } = count;
  if (own.length === 0 || (own[0] ?? FREE) !== FREE) count.own = withEntry(own, entry);
  else {
    // perf: faster than `copyWithin`.
    for (let index = 1; index < own.length; index += 1) own[index - 1] = own[index] ?? FREE;
    own[own.length - 1] = entry;
  }
}

/** Makes more places. perf: `concat` makes an array of the exact length. `push` and a spread reserve room for 17 more. */
function withEntry(own: readonly number[], entry: number): number[] {
  const places = PLACES.find((count) => count > own.length) ?? SLOTS;
  return Array.from<number>({ length: places - own.length - 1 })
    .fill(FREE)
    .concat(own, entry);
}

/** Sets the units that other replicas counted in a slot. A smaller number than known is ignored. */
export function merge(count: SlidingCount, slot: number, units: number): void {
  // The clock of another replica may be slightly ahead.
  if (slot === count.newest + 1) advance(count, slot);
  if (slot > count.newest || isOver(slot, count.newest)) return;
  const others = (count.others ?? []).filter((entry) => entry !== FREE);
  const older = others.filter((entry) => slotOf(entry, count.newest) < slot);
  const newer = others.filter((entry) => slotOf(entry, count.newest) > slot);
  const known = others.find((entry) => slotOf(entry, count.newest) === slot) ?? 0;
  const more = units - unitsOf(known);
  if (more <= 0) return;
  count.others = older.concat(packed(slot, units), newer);
  count.used += more;
}

/** The units that this replica counted, by slot, from the given slot on. */
export function ownSince(
  { own, newest }: SlidingCount,
  first: number,
): { slot: number; units: number }[] {
  const counted: { slot: number; units: number }[] = [];
  for (const entry of own) {
    const slot = slotOf(entry, newest);
    if (entry !== FREE && slot >= first) counted.push({ slot, units: unitsOf(entry) });
  }
  return counted;
}

/** Whether a slot has left the window whose newest slot is `current`. */
export function isOver(slot: number, current: number): boolean {
  return current >= slot + SLOTS;
}

const NO_ENTRIES: readonly number[] = [];

/** Seconds until more of the limit is left than now; 0 if nothing is used. */
export function secondsUntilMore(
  count: SlidingCount,
  { limit, windowSeconds, now }: { limit: number; windowSeconds: number; now: number },
): number {
  const { own, others = NO_ENTRIES, newest } = count;
  const goal = Math.min(limit, count.used);
  let used = count.used;
  let nextOwn = firstOf(own);
  let nextOther = firstOf(others);
  for (;;) {
    const ownSlot = slotAtIndex(own, nextOwn, newest);
    const otherSlot = slotAtIndex(others, nextOther, newest);
    const slot = Math.min(ownSlot, otherSlot);
    if (slot > newest) return 0;
    if (ownSlot === slot) used -= unitsOf(own[nextOwn++] ?? 0);
    if (otherSlot === slot) used -= unitsOf(others[nextOther++] ?? 0);
    if (used < goal) return Math.max(1, Math.ceil((endOf(slot, windowSeconds) - now) / 1000));
  }
}

/** The index of the oldest entry, which is behind the free places. */
function firstOf(entries: readonly number[]): number {
  let index = 0;
  while (entries[index] === FREE) index += 1;
  return index;
}

/** Infinity behind the last entry. */
function slotAtIndex(entries: readonly number[], index: number, newest: number): number {
  const entry = entries[index];
  return entry === undefined ? Infinity : slotOf(entry, newest);
}

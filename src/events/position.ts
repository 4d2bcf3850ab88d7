import { packSnapshot, type Snapshot, unpackSnapshot } from './snapshot.js';

/** The place of an event: its transaction, and its number among all entries. */
export interface Place {
  readonly xid: bigint;
  readonly id: bigint;
}

/** A position in the feed: everything of `seen` was read, and of `target` everything up to `after`. */
export interface FeedPosition {
  /** The cluster of databases whose transactions are counted. */
  readonly origin: string;
  /** `undefined` in the first walk, from the oldest event on. */
  readonly seen: Snapshot | undefined;
  /** The snapshot of a walk that has not ended. */
  readonly walk: { readonly target: Snapshot; readonly after: Place } | undefined;
}

/** Writes a position as a short text. */
export function packPosition({ origin, seen, walk }: FeedPosition): string {
  const parts = [origin, seen === undefined ? '' : packSnapshot(seen)];
  if (walk === undefined) return parts.join('|');
  const { target, after } = walk;
  return [...parts, packSnapshot(target), String(after.xid), String(after.id)].join('|');
}

/** Reads what `packPosition` wrote. */
export function unpackPosition(text: string): FeedPosition {
  const [origin = '', seen = '', target = '', xid = '', id = ''] = text.split('|');
  return {
    origin,
    seen: seen === '' ? undefined : unpackSnapshot(seen),
    walk:
      target === ''
        ? undefined
        : { target: unpackSnapshot(target), after: { xid: BigInt(xid), id: BigInt(id) } },
  };
}

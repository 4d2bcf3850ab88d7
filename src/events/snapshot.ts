/**
 * A snapshot of PostgreSQL: which transactions had committed. Commit order is not the order of numbers, so no number can
 * stand for "everything up to here" (decision 20).
 */
export interface Snapshot {
  /** Every transaction before it had ended. */
  readonly xmin: bigint;
  /** No transaction from it on had ended. */
  readonly xmax: bigint;
  /** Transactions between both that were running, ascending. */
  readonly running: readonly bigint[];
}

/** More running transactions would make a cursor too long. */
const MAX_RUNNING = 150;
const RADIX = 36;

/** Reads the text of a `pg_snapshot`. */
export function parseSnapshot(text: string): Snapshot {
  const [xmin = '', xmax = '', running = ''] = text.split(':');
  return {
    xmin: BigInt(xmin),
    xmax: BigInt(xmax),
    running: running === '' ? [] : running.split(',').map(BigInt),
  };
}

/** Writes the text of a `pg_snapshot`. */
export function snapshotText({ xmin, xmax, running }: Snapshot): string {
  return `${xmin}:${xmax}:${running.join(',')}`;
}

/**
 * An earlier snapshot with fewer running transactions: it ends before the first one that it does not name. Readers get
 * the rest later.
 */
export function bounded(snapshot: Snapshot): Snapshot {
  const next = snapshot.running[MAX_RUNNING];
  if (next === undefined) return snapshot;
  return { ...snapshot, xmax: next, running: snapshot.running.slice(0, MAX_RUNNING) };
}

/** An earlier snapshot, up to the oldest running transaction. Nothing is added before its end afterwards. */
export function settled({ xmin }: Snapshot): Snapshot {
  return { xmin, xmax: xmin, running: [] };
}

/** Writes a snapshot in few characters: distances in base 36. */
export function packSnapshot({ xmin, xmax, running }: Snapshot): string {
  const near = [xmax, ...running].map((xid) => (xid - xmin).toString(RADIX));
  return [xmin.toString(RADIX), ...near].join('.');
}

/** Reads what `packSnapshot` wrote. */
export function unpackSnapshot(text: string): Snapshot {
  const [first = '', ...near] = text.split('.');
  const xmin = fromBase36(first);
  const [xmax = xmin, ...running] = near.map((distance) => xmin + fromBase36(distance));
  return { xmin, xmax, running };
}

function fromBase36(text: string): bigint {
  let value = 0n;
  for (const digit of text) value = value * BigInt(RADIX) + BigInt(parseInt(digit, RADIX));
  return value;
}

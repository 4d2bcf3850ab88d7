/** Who waits: browsers that signed in to the account before are served first, in places of their own. */
export type Waiting = 'known' | 'unknown';

/** Thrown when the queue is full. */
export class HashingBusy extends Error {}

/** Keeps password hashing to a part of the processor and of the thread pool. */
export interface HashingQueue {
  /** Whether `run` would refuse now. */
  isFull(waiting: Waiting): boolean;
  /** How many passwords are being hashed, and how many wait. */
  readonly state: () => { readonly running: number; readonly waiting: number };
  /** @throws HashingBusy at once if too many wait already */
  run<Result>(waiting: Waiting, work: () => Promise<Result>): Promise<Result>;
}

/**
 * Hashes at once: half of libuv's four threads. The others stay free for what signs tokens there, however many
 * people sign in.
 */
const AT_ONCE = 2;
/** Hashes that wait: about half a second of work. */
const PLACES = 32;

export function createHashingQueue(): HashingQueue {
  const queues: Readonly<Record<Waiting, (() => void)[]>> = { known: [], unknown: [] };
  let running = 0;
  const isFull = (waiting: Waiting) => running >= AT_ONCE && queues[waiting].length >= PLACES;

  return {
    isFull,
    state: () => ({ running, waiting: queues.known.length + queues.unknown.length }),
    async run(waiting, work) {
      if (isFull(waiting)) throw new HashingBusy('too many passwords wait to be hashed');
      if (running < AT_ONCE) running += 1;
      else await new Promise<void>((start) => queues[waiting].push(start));
      try {
        return await work();
      } finally {
        // The turn is handed on, so that nobody who has just come overtakes.
        const next = queues.known.shift() ?? queues.unknown.shift();
        if (next === undefined) running -= 1;
        else next();
      }
    },
  };
}

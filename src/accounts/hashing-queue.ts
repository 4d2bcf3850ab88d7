/** Browsers that signed in to the account before (`known`) have a queue of their own and go first. */
export type Waiting = 'known' | 'unknown';

/** Thrown when the queue is full. */
export class HashingBusy extends Error {}

/** Limits password hashing to a part of the CPU and of the thread pool. */
export interface HashingQueue {
  /** Whether `run` would refuse now. */
  isFull(waiting: Waiting): boolean;
  /** How many passwords are being hashed, and how many wait. */
  readonly state: () => { readonly running: number; readonly waiting: number };
  /** @throws HashingBusy at once if too many wait already */
  run<Result>(waiting: Waiting, work: () => Promise<Result>): Promise<Result>;
}

/**
 * Concurrent hashes: half of libuv's four threads. The others stay free to sign tokens.
 */
const AT_ONCE = 2;
/** Queue length: about half a second of work. */
const MAX_WAITING = 32;

export function createHashingQueue(): HashingQueue {
  const queues: Readonly<Record<Waiting, (() => void)[]>> = { known: [], unknown: [] };
  let running = 0;
  const isFull = (waiting: Waiting) => running >= AT_ONCE && queues[waiting].length >= MAX_WAITING;

  return {
    isFull,
    state: () => ({ running, waiting: queues.known.length + queues.unknown.length }),
    async run(waiting, work) {
      if (isFull(waiting)) throw new HashingBusy('too many passwords are waiting to be hashed');
      if (running < AT_ONCE) running += 1;
      else await new Promise<void>((start) => queues[waiting].push(start));
      try {
        return await work();
      } finally {
        // Hands the slot to the next in the queue, so that a new request cannot overtake.
        const next = queues.known.shift() ?? queues.unknown.shift();
        if (next === undefined) running -= 1;
        else next();
      }
    },
  };
}

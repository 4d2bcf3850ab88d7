import { setTimeout as pause } from 'node:timers/promises';

import { READ_WITHIN_SECONDS, type Change, type ReadChanges } from './change-reader.js';

/** Receives the changes of a replica's one reader. */
export interface Subscriber {
  /**
   * @param changes what was committed since the last call
   * @param readAt when the reading began, by `performance.now()`. Everything committed before it was passed on.
   */
  onRead(changes: readonly Change[], readAt: number): void;
  /** Changes may be missing. */
  onGap(): void;
}

/** The changes of verdicts, read once for all subscribers of this process, and only while there are any. */
export interface ChangeFeed {
  /** @returns a function that ends the subscription */
  subscribe(subscriber: Subscriber): () => void;
}

/** A beat is due every 250 ms. */
const READ_EVERY_MS = 100;

/** @param onError called for a reading that failed, the first of several in a row; the next one follows */
export function createChangeFeed(read: ReadChanges, onError: (error: unknown) => void): ChangeFeed {
  const subscribers = new Set<Subscriber>();
  let isReading = false;

  async function readWhileSubscribed(): Promise<void> {
    let last: { readonly snapshot: string; readonly at: number } | undefined;
    let isFailing = false;
    while (subscribers.size > 0) {
      const at = performance.now();
      if (last !== undefined && at - last.at > READ_WITHIN_SECONDS * 1000) {
        last = undefined;
        for (const subscriber of subscribers) subscriber.onGap();
      }
      try {
        const { snapshot, changes } = await read(last?.snapshot);
        last = { snapshot, at };
        isFailing = false;
        for (const subscriber of subscribers) {
          if (changes === undefined) subscriber.onGap();
          subscriber.onRead(changes ?? [], at);
        }
      } catch (error) {
        if (!isFailing) onError(error);
        isFailing = true;
      }
      // Unreferenced: a stopping process does not wait for it.
      await pause(Math.max(0, READ_EVERY_MS - (performance.now() - at)), undefined, { ref: false });
    }
    isReading = false;
  }

  return {
    subscribe(subscriber) {
      subscribers.add(subscriber);
      if (!isReading) {
        isReading = true;
        void readWhileSubscribed();
      }
      return () => void subscribers.delete(subscriber);
    },
  };
}

import type { Worker } from 'node:cluster';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

import type { Report } from './messages.js';

/**
 * Accepts connections and hands each to a worker. The listener of `node:cluster` does so too, but a connection that it
 * handed to a worker that had just died would hang without end. Here it is given to another worker.
 */
export interface Dispatcher {
  /** The listener, to be bound and closed. */
  readonly server: Server;
  /** Gives connections to a worker until it ends. */
  readonly add: (worker: Worker) => void;
  /** Waits until every connection is with a worker. Those that are left after this time are closed. */
  readonly settle: (withinMs: number) => Promise<void>;
}

interface Dependencies {
  /** Connections that may wait while no worker serves; further ones are closed. */
  readonly maxWaiting: number;
}

export function createDispatcher({ maxWaiting }: Dependencies): Dispatcher {
  /** The workers, the one that got the last connection at the end, with the connections that they have not taken yet. */
  const untaken = new Map<Worker, Map<number, Socket>>();
  const waiting = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    dispatch(socket);
  });
  let ids = 0;

  const dispatch = (socket: Socket) => {
    const worker = choose(untaken);
    if (worker === undefined) {
      if (waiting.size < maxWaiting) waiting.add(socket);
      else socket.destroy();
      return;
    }
    const own = untaken.get(worker) ?? new Map<number, Socket>();
    untaken.delete(worker);
    untaken.set(worker, own);
    ids += 1;
    const id = ids;
    own.set(id, socket);
    // It stays open here until the worker has taken it.
    worker.send({ type: 'connection', id }, socket, { keepOpen: true }, () => undefined);
  };

  return {
    server,
    add(worker) {
      const own = new Map<number, Socket>();
      untaken.set(worker, own);
      worker.on('message', (message: Report) => {
        if (message.type !== 'taken') return;
        own.get(message.id)?.destroy();
        own.delete(message.id);
        server.emit('taken');
      });
      worker.once('exit', () => {
        untaken.delete(worker);
        for (const socket of own.values()) dispatch(socket);
        server.emit('taken');
      });
      for (const socket of waiting) dispatch(socket);
      waiting.clear();
    },
    async settle(withinMs) {
      const signal = AbortSignal.timeout(withinMs);
      const isOpen = () => [...untaken.values()].some(({ size }) => size > 0);
      while (isOpen() && !signal.aborted) {
        await once(server, 'taken', { signal }).catch(() => undefined);
      }
      // A worker that hangs takes none.
      for (const own of [waiting, ...untaken.values()]) {
        for (const socket of own.values()) socket.destroy();
        own.clear();
      }
    },
  };
}

/** The worker with the fewest connections that it has not taken yet, so that one that hangs gets few. */
function choose(untaken: ReadonlyMap<Worker, ReadonlyMap<number, Socket>>): Worker | undefined {
  let chosen: Worker | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const [worker, { size }] of untaken) {
    if (size >= fewest || !worker.isConnected()) continue;
    chosen = worker;
    fewest = size;
  }
  return chosen;
}

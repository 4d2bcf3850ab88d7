import cluster, { type Worker } from 'node:cluster';
import type { Logger } from 'pino';

import { order, type Assignment, type Order, type Report } from './messages.js';

/** How a worker ended. */
export interface End {
  readonly code: number | null;
  readonly signal: string | null;
  /** How long it ran. */
  readonly ranMs: number;
}

/** A worker, as the primary process sees it. */
export interface WorkerProcess {
  readonly id: number;
  readonly pid: number | undefined;
  /** Resolves when it can answer requests; not at all if it ends before. */
  readonly serving: Promise<void>;
  readonly ended: Promise<End>;
  readonly isServing: () => boolean;
  order(type: Extract<Order['type'], 'stop' | 'drain'>): void;
  kill(): void;
}

interface Dependencies {
  readonly assignment: Assignment;
  readonly log: Logger;
  readonly onStart: (worker: Worker) => void;
  readonly onServing: (worker: Worker) => void;
}

export function startWorker({ assignment, log, ...on }: Dependencies): WorkerProcess {
  const startedAt = performance.now();
  const worker = cluster.fork();
  const { id } = worker;
  let isServing = false;
  on.onStart(worker);
  worker.on('error', (error) => log.warn({ worker: id, err: error }, 'a worker failed'));
  const serving = new Promise<void>((resolve) => {
    worker.on('message', (message: Report) => {
      if (message.type === 'started') order(worker, { type: 'open', assignment });
      if (message.type !== 'serving') return;
      isServing = true;
      on.onServing(worker);
      resolve();
    });
  });
  const ended = new Promise<End>((resolve) => {
    worker.once('exit', (code: number | null, signal: string | null) => {
      isServing = false;
      resolve({ code, signal, ranMs: performance.now() - startedAt });
    });
  });
  return {
    id,
    pid: worker.process.pid,
    serving,
    ended,
    isServing: () => isServing,
    order: (type) => order(worker, { type }),
    kill: () => void worker.process.kill('SIGKILL'),
  };
}

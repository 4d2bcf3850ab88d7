import type { Worker } from 'node:cluster';
import type { Registry } from 'prom-client';

import type { Environment } from '../../config.js';
import type { ServerInstance } from '../instance.js';

/** The argument of a process that is a worker. */
export const WORKER_ARGUMENT = '--worker';

/** The metrics of a process. */
export type Snapshot = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/** All that a worker starts with. It reads neither the environment nor files of secrets. */
export interface Assignment extends Pick<ServerInstance, 'target' | 'secretKeys'> {
  readonly env: Environment;
}

/** A message from the primary process. */
export type Order =
  | { readonly type: 'open'; readonly assignment: Assignment }
  | { readonly type: 'metrics'; readonly id: number }
  /** With the socket. */
  | { readonly type: 'connection'; readonly id: number }
  /** Answers from now on end their connections, and `/readyz` is 503. */
  | { readonly type: 'stop' }
  /** No connection comes any more. */
  | { readonly type: 'drain' };

/** A message from a worker. */
export type Report =
  // Messages that come before a worker listens for them are lost.
  | { readonly type: 'started' }
  | { readonly type: 'serving' }
  | { readonly type: 'taken'; readonly id: number }
  | { readonly type: 'metrics'; readonly id: number; readonly snapshot: Snapshot };

/** Sends a message to a worker, which may have ended. */
export function order(worker: Worker, message: Order): void {
  if (worker.isConnected()) worker.send(message, () => undefined);
}

/** Sends a message to the primary process, which may have ended. */
export function report(message: Report): void {
  process.send?.(message, undefined, undefined, () => undefined);
}

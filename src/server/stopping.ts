import type { Server } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';

import type { Config } from '../config.js';

/** The signals to stop. */
export interface Stopping {
  readonly stopped: AbortSignal;
  /** Ends the delay before the listener closes. */
  readonly hurried: AbortSignal;
}

/**
 * Stops the server on SIGTERM, on SIGHUP (a closed terminal must not leave the embedded database running) and on SIGINT.
 * A person waits for SIGINT, so it skips the delay, also one that has begun.
 */
export function stopBySignals(): Stopping {
  const stopped = new AbortController();
  const hurried = new AbortController();
  // Further signals have no effect.
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopped.abort());
  process.on('SIGINT', () => {
    hurried.abort();
    stopped.abort();
  });
  return { stopped: stopped.signal, hurried: hurried.signal };
}

/** Waits until the server is to stop, and then until its listener should close. */
export async function delayed({
  config,
  log,
  stopping: { stopped, hurried },
}: {
  readonly config: Config;
  readonly log: Logger;
  readonly stopping: Stopping;
}): Promise<void> {
  await aborted(stopped);
  const delaySeconds = hurried.aborted ? 0 : config.DRAIN_DELAY_SECONDS;
  log.info({ delaySeconds }, 'stopping');
  // Gives load balancers time to notice /readyz before the listener closes.
  await pause(delaySeconds * 1000, undefined, { signal: hurried }).catch(() => undefined);
}

/** Closes the listener and every connection. */
export function closeNow(server: Server): void {
  server.close();
  server.closeAllConnections();
}

/** Resolves when a signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

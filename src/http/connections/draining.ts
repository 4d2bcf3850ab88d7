import type { Server } from 'node:http';
import type { Server as TcpServer } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';

const DRAIN_MS = 10_000;
const LOOK_EVERY_MS = 50;
const QUIET_WITHIN_MS = 1000;
/** A connection that arrives later in the same turn is lost, so the last turn is a short one. */
const SHORT_TURN_MS = 0.3;

/**
 * Stops accepting connections and waits until the pending requests are answered, for 10 seconds at most.
 */
export async function drain(server: Server): Promise<void> {
  await untilAllAccepted(server);
  await endConnections(server, new Promise((resolve) => server.close(resolve)));
}

/**
 * Ends connections after their pending requests are answered, within 10 seconds.
 *
 * @param closed resolves when all are closed
 */
export async function endConnections(server: Server, closed: Promise<unknown>): Promise<void> {
  // Keep-alive connections become idle one after the other.
  const idle = setInterval(() => server.closeIdleConnections(), LOOK_EVERY_MS);
  const deadline = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearInterval(idle);
  clearTimeout(deadline);
}

/**
 * Waits for a short turn of the event loop without a new connection, for a second at most. The operating system
 * completes connections before they are accepted, and resets the remaining ones when the listener closes.
 */
export async function untilAllAccepted(server: TcpServer): Promise<void> {
  const deadline = performance.now() + QUIET_WITHIN_MS;
  let hasArrived = true;
  const note = () => {
    hasArrived = true;
  };
  server.on('connection', note);
  // The current turn may have accepted connections before this call.
  await nextTurn();
  let began = performance.now();
  let isShort = false;
  while ((hasArrived || !isShort) && began < deadline) {
    hasArrived = false;
    await nextTurn();
    const ended = performance.now();
    isShort = ended - began < SHORT_TURN_MS;
    began = ended;
  }
  server.off('connection', note);
}

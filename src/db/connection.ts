import { Socket } from 'node:net';
import type pg from 'pg';

/**
 * Lets a pooled connection break at any moment. While it changes hands nobody listens to it for a turn of the event
 * loop, and an error that nobody listens for would end the process. The pool drops a broken connection by itself.
 */
export function tolerateBreaking(client: pg.ClientBase): void {
  client.on('error', () => undefined);
}

/**
 * A socket that breaks when nothing has come or gone for so long. A database that hangs closes no connection, and what
 * was asked on one must never be left behind half done: with the connection its transaction ends.
 */
export function createImpatientSocket(patienceMs: number): Socket {
  const socket = new Socket();
  return socket.setTimeout(patienceMs, () => {
    const error = new Error('the database does not answer');
    socket.destroy(Object.assign(error, { code: 'ETIMEDOUT' }));
  });
}

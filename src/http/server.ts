import type { Server } from 'node:http';

import { StartupError } from '../db/startup-error.js';

/**
 * A request may take its time to arrive, but not hold a connection for ever. An idle connection is
 * kept longer than load balancers keep theirs, so that it is they who close it.
 */
export const SERVER_OPTIONS = { requestTimeout: 30_000, keepAliveTimeout: 65_000 } as const;

const DRAIN_MS = 10_000;
const LOOK_EVERY_MS = 50;

/**
 * Begins to listen.
 * @throws StartupError if it can't, for instance because the port is taken
 */
export async function listen(server: Server, host: string, port: number): Promise<Server> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === 'EADDRINUSE' ? 'the port is in use' : (error.code ?? error.message);
      reject(new StartupError(`Cannot listen on ${host}:${port}: ${reason}.`, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
  return server;
}

/**
 * Stops taking connections and waits until the requests under way are answered, 10 seconds at most.
 */
export async function drain(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  // Connections that are kept alive become idle one after the other.
  const idle = setInterval(() => server.closeIdleConnections(), LOOK_EVERY_MS);
  const deadline = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearInterval(idle);
  clearTimeout(deadline);
}

import { createServer, type RequestListener, type Server } from 'node:http';

import { StartupError } from '../db/startup-error.js';
import { createClosingResponse } from './closing-response.js';
import { limitPipelines } from './pipelines.js';

/**
 * A request may take its time to arrive, but not hold a connection for ever. An idle connection is
 * kept longer than load balancers keep theirs, so that it is they who close it.
 */
const SERVER_OPTIONS = {
  headersTimeout: 15_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5000,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 16 * 1024,
} as const;

/** A connection on which nothing moves for this long, neither question nor answer, is ended. */
const STALLED_AFTER_MS = 30_000;

interface Limits {
  /** Those beyond are closed at once. */
  readonly maxConnections: number;
  /** Of these, those that are not read in portions (`portions`). */
  readonly maxReadByParser?: number;
  /** Whether answers end their connections. */
  readonly isStopping?: () => boolean;
}

/**
 * Makes a server that no client can make hold more than a bounded share of memory and time: requests under
 * way on a connection, the time that a request takes to arrive and its answer to be taken, and connections
 * are limited.
 *
 * @param handle answers a request
 */
export function createBoundedServer(
  handle: RequestListener,
  { maxConnections, maxReadByParser, isStopping = () => false }: Limits,
): Server {
  const { onRequest, onConnection } = limitPipelines(handle, maxReadByParser);
  const ServerResponse = createClosingResponse(isStopping);
  const server = createServer({ ...SERVER_OPTIONS, ServerResponse }, onRequest).on(
    'connection',
    onConnection,
  );
  server.timeout = STALLED_AFTER_MS;
  server.maxConnections = maxConnections;
  // Node drops header lines beyond a count without a word. Their size is limited, and `requests` limits their number.
  server.maxHeadersCount = 0;
  return server;
}

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

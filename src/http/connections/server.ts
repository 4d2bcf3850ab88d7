import { createServer, type RequestListener, type Server } from 'node:http';
import type { Server as TcpServer, Socket } from 'node:net';

import { StartupError } from '../../db/startup-error.js';
import { createClosingResponse } from './closing-response.js';
import { limitPipelines } from './pipelines.js';

/**
 * Timeouts for slow requests. An idle connection is kept longer than load balancers keep theirs, so that the balancer
 * closes it: otherwise it could send a request on a connection that is being closed.
 */
const SERVER_OPTIONS = {
  headersTimeout: 15_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5000,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 16 * 1024,
} as const;

/** A connection without traffic for this long is ended. */
const STALLED_AFTER_MS = 30_000;

interface Limits {
  /** Further connections are closed at once. */
  readonly maxConnections: number;
  /** The number of connections that are not read in portions (`portions`). */
  readonly maxReadByParser?: number;
  /** Whether a primary process accepts the connections. */
  readonly isWorker?: boolean;
  /** Whether responses end their connections. */
  readonly isStopping?: () => boolean;
}

/**
 * Makes a server with bounded memory and time per client. It limits the connections, the pending requests of a
 * connection, the time to receive a request, and the time to send a response.
 *
 * @param handle handles a request
 */
export function createBoundedServer(
  handle: RequestListener,
  { maxConnections, maxReadByParser, isWorker = false, isStopping = () => false }: Limits,
): Server {
  const { onRequest, onConnection } = limitPipelines(handle, maxReadByParser);
  const ServerResponse = createClosingResponse(isStopping);
  const server = createServer({ ...SERVER_OPTIONS, ServerResponse }, onRequest).on(
    'connection',
    onConnection,
  );
  server.timeout = STALLED_AFTER_MS;
  // Node's limit applies to connections that the server itself accepts.
  if (isWorker) server.prependListener('connection', closeBeyond(maxConnections));
  else server.maxConnections = maxConnections;
  // 0 disables Node's limit, beyond which it drops header lines silently. `requests` refuses too many lines.
  server.maxHeadersCount = 0;
  return server;
}

function closeBeyond(limit: number): (socket: Socket) => void {
  let open = 0;
  return (socket) => {
    if (open >= limit) return void socket.destroy();
    open += 1;
    socket.once('close', () => {
      open -= 1;
    });
  };
}

/**
 * Starts to listen.
 * @throws StartupError if it cannot, for example because the port is in use
 */
export async function listen<Listener extends TcpServer>(
  server: Listener,
  host: string,
  port: number,
): Promise<Listener> {
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

import { afterEach, beforeEach, expect } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';

import { TEST_SECRET_KEY } from '../app/app.js';
import { createTestDatabase, type TestDatabase } from '../database/database.js';
import { findFreePort } from '../process/free-port.js';
import {
  createServerProcesses,
  keyInGreeting,
  type ServerProcess,
} from '../process/server-process.js';

/** The process ends if it holds more than this in objects. It needs 50 MB of them at rest, and a flood without limits 1,800. */
const HEAP_MB = 160;
/** Resident memory includes garbage and buffers: 30 to 310 as a rule, depending on the release of Node and the load of the machine. */
const GROWTH_MB = 600;

/** The size of a flood, and of the requests that must be answered meanwhile. */
export interface FloodSize {
  readonly bytes: number;
  readonly honestRequests: number;
}

/** A server process with a small heap, for each test. */
export interface FloodTarget {
  readonly server: ServerProcess;
  readonly metricsPort: number;
  /** A key that the server accepts. */
  readonly key: string;
  /** Opens a connection that ends with the test. */
  connect(port?: number): Socket;
  /**
   * Pipelines one request over and over on each of many connections and reads no answer. Expects that others are
   * answered meanwhile, and that the memory stays bounded.
   *
   * @param flood the request, the number of connections, and the port if it is not the server's
   * @param honest the path that others read, with the key
   */
  withstands(
    flood: { readonly request: string; readonly connections: number; readonly port?: number },
    honest: string,
  ): Promise<void>;
}

/** Registers hooks that start the server before each test and end it afterwards. */
export function useFloodTarget({ bytes, honestRequests }: FloodSize): FloodTarget {
  const processes = createServerProcesses();
  let database: TestDatabase;
  let server: ServerProcess;
  let metricsPort: number;
  let sockets: Socket[];

  beforeEach(async () => {
    sockets = [];
    database = await createTestDatabase();
    metricsPort = await findFreePort();
    server = await processes.start({
      DATABASE_URL: database.url,
      SECRET_KEYS: TEST_SECRET_KEY,
      METRICS_PORT: String(metricsPort),
      NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}`,
    });
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await processes.killAll();
    await database.drop();
  });

  const open = (port = Number(new URL(server.origin).port)) => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    sockets.push(socket);
    return socket;
  };

  /** Sends honest requests one after the other. @returns the growth of memory meanwhile, in megabytes */
  async function growthWhile(path: string, key: string, before: number): Promise<number> {
    let most = 0;
    let answered = 0;
    for (let count = 0; count < honestRequests; count += 1) {
      const { status } = await server.send('GET', path, { key });
      // Where machines are slow, the first reads keep the database waiting for longer than a lookup lives.
      expect([200, 503]).toContain(status);
      if (status === 200) answered += 1;
      most = Math.max(most, megabytesOf(server));
    }
    expect(answered).toBeGreaterThan(0.9 * honestRequests);
    return most - before;
  }

  return {
    get server() {
      return server;
    },
    get metricsPort() {
      return metricsPort;
    },
    get key() {
      return keyInGreeting(server);
    },
    connect: open,
    async withstands({ request, connections, port }, honest) {
      const key = keyInGreeting(server);
      await Promise.all(
        Array.from({ length: 50 }, () => server.send('GET', '/api/v1/me', { key })),
      );
      const before = megabytesOf(server);
      const piece = request.repeat(Math.ceil(bytes / connections / request.length));
      for (let index = 0; index < connections; index += 1) {
        const socket = open(port);
        socket.pause();
        socket.write(piece);
      }
      expect(await growthWhile(honest, key, before)).toBeLessThan(GROWTH_MB);
    },
  };
}

/** The head of a GET request. */
export function head(path: string, ...lines: string[]): string {
  return [`GET ${path} HTTP/1.1`, 'Host: x', ...lines, '', ''].join('\r\n');
}

/** Resident memory. */
function megabytesOf({ pid }: ServerProcess): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)]).toString()) / 1024;
}

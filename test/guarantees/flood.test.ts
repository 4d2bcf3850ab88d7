import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';

import { TEST_SECRET_KEY } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { findFreePort } from '../support/free-port.js';
import {
  createServerProcesses,
  keyInGreeting,
  type ServerProcess,
} from '../support/server-process.js';
import { until } from '../support/until.js';

const BYTES = 240_000_000;
/** The process ends if it holds more than this in objects. It needs 50 MB of them at rest, and a flood without limits 1,800. */
const HEAP_MB = 160;
/** Resident memory includes garbage and buffers: 30 to 310 as a rule, depending on the release of Node and the load of the machine. */
const GROWTH_MB = 600;
const HONEST_REQUESTS = 100;

describe('a server that is sent more than it can hold', () => {
  const processes = createServerProcesses();
  let database: TestDatabase;
  let server: ServerProcess;
  let metricsPort: number;
  let sockets: Socket[];
  beforeEach(async () => {
    sockets = [];
    // Nothing in it at all: the first start makes a key.
    database = await createTestDatabase('template0');
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

  /** Asks again and again what is asked. @returns the growth of memory in the meantime, in megabytes */
  async function growthWhile(path: string, key: string, before: number): Promise<number> {
    let most = 0;
    let answered = 0;
    for (let count = 0; count < HONEST_REQUESTS; count += 1) {
      const { status } = await server.send('GET', path, { key });
      // Where machines are slow, the first reads keep the database waiting for longer than a lookup lives.
      expect([200, 503]).toContain(status);
      if (status === 200) answered += 1;
      most = Math.max(most, megabytesOf(server));
    }
    expect(answered).toBeGreaterThan(0.9 * HONEST_REQUESTS);
    return most - before;
  }

  /** Pipelines one request over and over on each of many connections, and reads no answer. */
  function flood(port: number, request: string, connections: number): void {
    const piece = request.repeat(Math.ceil(BYTES / connections / request.length));
    for (let index = 0; index < connections; index += 1) {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined);
      socket.pause();
      socket.write(piece);
      sockets.push(socket);
    }
  }

  const head = (path: string, ...lines: string[]) =>
    [`GET ${path} HTTP/1.1`, 'Host: x', ...lines, '', ''].join('\r\n');

  it.each([
    ['answers that nobody reads', 60, () => head('/api/v1/scopes')],
    ['answers that nobody reads', 1500, () => head('/api/v1/scopes')],
    ['requests with a key', 60, (key: string) => head('/api/v1/me', `X-API-Key: ${key}`)],
    ['the smallest requests', 60, () => 'GET / HTTP/1.1\r\nHost:\r\n\r\n'],
    ['pages', 60, () => head('/login', 'Accept: text/html')],
  ])(
    'holds little of %s over %d connections, and answers others meanwhile',
    async (_what, connections, request) => {
      const key = keyInGreeting(server);
      await Promise.all(
        Array.from({ length: 50 }, () => server.send('GET', '/api/v1/me', { key })),
      );
      const before = megabytesOf(server);
      flood(Number(new URL(server.origin).port), request(key), connections);
      expect(await growthWhile('/api/v1/me', key, before)).toBeLessThan(GROWTH_MB);
    },
    120_000,
  );

  it('holds little of what is sent to the metrics', async () => {
    const before = megabytesOf(server);
    flood(metricsPort, head('/metrics'), 60);
    expect(await growthWhile('/healthz', '', before)).toBeLessThan(GROWTH_MB);
  }, 120_000);

  it.each([
    ['headers of 40 KB', head('/healthz', `A: ${'x'.repeat(40_000)}`), 431],
    ['a thousand header lines', head('/healthz', ...Array<string>(1000).fill('A: b')), 431],
    ['a request without an end', `GET /${'x'.repeat(100_000)}`, 431],
    ['two lengths', head('/healthz', 'Content-Length: 1', 'Content-Length: 2'), 400],
    ['a length beside chunks', head('/x', 'Content-Length: 1', 'Transfer-Encoding: chunked'), 400],
    ['no host', 'GET /healthz HTTP/1.1\r\n\r\n', 400],
    ['a line of noise', '\0\u0001\u0002 garbage\r\n\r\n', 400],
  ])(
    'refuses %s',
    async (_what, text, status) => {
      let answer = '';
      const socket = connect(Number(new URL(server.origin).port), '127.0.0.1');
      sockets.push(socket);
      socket.setEncoding('latin1').on('data', (piece: string) => (answer += piece));
      socket.on('error', () => undefined).write(text);
      await until(() => answer.includes('\r\n\r\n'));
      expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      expect((await server.send('GET', '/healthz')).status).toBe(200);
    },
    30_000,
  );
});

/** Resident memory. */
function megabytesOf({ pid }: ServerProcess): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)]).toString()) / 1024;
}

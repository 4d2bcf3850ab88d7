import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connect, type Socket } from 'node:net';

import { TEST_SECRET_KEY } from '../support/app/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { createServerProcesses, type ServerProcess } from '../support/process/server-process.js';
import { until } from '../support/app/until.js';

const PIECE_EVERY_MS = 200;
/** The limit that applies, and the time until it is looked at. */
const ENDED_WITHIN_MS = 45_000;

const CHUNKED = 'POST /api/v1/oauth/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n';
const FORM = 'Content-Type: application/x-www-form-urlencoded\r\n';

/** A beginning, and what follows for ever. */
const SLOW: readonly (readonly [name: string, beginning: string, piece: string])[] = [
  ['nothing', '', ''],
  ['headers', 'GET /healthz HTTP/1.1\r\nHost: x\r\n', 'A: b\r\n'],
  [
    'a body',
    `POST /api/v1/oauth/token HTTP/1.1\r\nHost: x\r\n${FORM}Content-Length: 60000\r\n\r\n`,
    'a',
  ],
  ['chunks', `${CHUNKED}${FORM}\r\n`, '1\r\na\r\n'],
  ['the extension of a chunk', `${CHUNKED}${FORM}\r\n1;`, 'x'.repeat(2000)],
  ['trailers', `${CHUNKED}${FORM}\r\n0\r\n`, `A: ${'b'.repeat(1000)}\r\n`],
  [
    'a body that was refused',
    `POST /api/v1/contacts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`,
    '1\r\na\r\n',
  ],
];

describe('a slow connection', () => {
  const processes = createServerProcesses();
  let database: TestDatabase;
  let server: ServerProcess;
  beforeAll(async () => {
    database = await createTestDatabase();
    server = await processes.start({ DATABASE_URL: database.url, SECRET_KEYS: TEST_SECRET_KEY });
  }, 30_000);
  afterAll(async () => {
    await processes.killAll();
    await database.drop();
  });

  const open = () =>
    connect(Number(new URL(server.origin).port), '127.0.0.1').on('error', () => undefined);
  const untilClosed = (socket: Socket, what: string) =>
    until(() => socket.closed, { withinMs: ENDED_WITHIN_MS, what });

  it('is closed when it sends without an end', async () => {
    await Promise.all(
      SLOW.map(async ([name, beginning, piece]) => {
        const socket = open();
        socket.resume().write(beginning);
        const drip = setInterval(() => socket.write(piece), PIECE_EVERY_MS);
        await untilClosed(socket, `${name}: ended`);
        clearInterval(drip);
      }),
    );
    expect((await server.send('GET', '/healthz')).status).toBe(200);
  }, 90_000);

  it('is closed when it does not read its answers', async () => {
    const request = 'GET /api/v1/scopes HTTP/1.1\r\nHost: x\r\n\r\n';
    const sockets = Array.from({ length: 20 }, () => {
      const socket = open();
      socket.pause();
      socket.write(request.repeat(50_000));
      return socket;
    });
    // A socket that is not read notices the end only when it writes.
    const drip = setInterval(() => {
      for (const socket of sockets) socket.write(request);
    }, PIECE_EVERY_MS);
    await Promise.all(sockets.map((socket) => untilClosed(socket, 'ended')));
    clearInterval(drip);
  }, 90_000);
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { RequestListener, Server, ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

import { createBoundedServer } from '../../../src/http/connections/server.js';
import { until } from '../../support/app/until.js';

const BOUND = 16;

/** So many requests in one piece, each for its number. */
function requests(count: number): string {
  const numbers = Array.from({ length: count }, (_, index) => index);
  return numbers.map((n) => `GET /${n} HTTP/1.1\r\nHost: x\r\n\r\n`).join('');
}

describe.each([
  ['is read by the parser', undefined],
  ['is read in portions', 0],
])('a connection that pipelines and %s', (_how, maxReadByParser) => {
  let server: Server;
  let socket: Socket;
  let received: string;
  /** Requests that wait for the test to answer them. */
  let open: { readonly url: string; readonly response: ServerResponse }[];
  let started: string[];
  let answer: RequestListener;

  beforeEach(async () => {
    open = [];
    started = [];
    received = '';
    answer = ({ url = '' }, response) => {
      started.push(url);
      open.push({ url, response });
    };
    server = createBoundedServer((request, response) => answer(request, response), {
      maxConnections: 2,
      ...(maxReadByParser !== undefined && { maxReadByParser }),
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    socket = connectTo(server);
    socket.setEncoding('latin1').on('data', (text: string) => (received += text));
  });
  afterEach(() => {
    socket.destroy();
    server.close().closeAllConnections();
  });

  function connectTo(target: Server): Socket {
    return connect((target.address() as AddressInfo).port, '127.0.0.1').on(
      'error',
      () => undefined,
    );
  }

  const answers = () => [...received.matchAll(/<(\/\d+)>/g)].map(([, url]) => url);

  it('runs 16 requests at once and answers all in order', async () => {
    const count = 1000;
    socket.write(requests(count));
    let most = 0;
    await until(() => {
      most = Math.max(most, open.length);
      // The last first: the order of answers is not that of the work.
      for (const { url, response } of open.splice(0).toReversed()) response.end(`<${url}>`);
      return answers().length === count;
    });
    expect(most).toBe(BOUND);
    expect(answers()).toEqual(started);
    expect(started).toHaveLength(count);
  }, 30_000);

  it('sends bodies of any size between them', async () => {
    const sizes = [0, 1, 4095, 4096, 4097, 70_000, 3, 300_000, ...Array<number>(60).fill(5000)];
    answer = (request, response) => {
      let size = 0;
      request.on('data', (piece: Buffer) => (size += piece.length));
      request.on('end', () => response.end(`</${size}>${'x'.repeat(20_000)}`));
    };
    const post = (size: number) =>
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n${'x'.repeat(size)}`;
    socket.write(sizes.map(post).join(''));
    await until(() => answers().length === sizes.length);
    expect(answers()).toEqual(sizes.map((size) => `/${size}`));
  });

  it('is not read while 16 requests run, and is released at its end', async () => {
    socket.write(requests(20_000));
    await until(() => open.length === BOUND);
    socket.destroy();
    for (const { response } of open.splice(0)) response.end();
    await until(async () => (await connectionsOf(server)) === 0);
    expect(started.length).toBeLessThan(20_000);
  });

  it('is answered one by one after pipelined requests', async () => {
    for (const round of [1, 40, 1, 1, 17, 16, 1]) {
      received = '';
      socket.write(requests(round));
      await until(() => {
        for (const { url, response } of open.splice(0)) response.end(`<${url}>`);
        return answers().length === round;
      });
    }
  });

  it('is closed beyond the limit of connections', async () => {
    await until(async () => (await connectionsOf(server)) === 1);
    const second = connectTo(server);
    await until(async () => (await connectionsOf(server)) === 2);
    const third = connectTo(server);
    await once(third, 'close');
    second.write(requests(1));
    await until(() => open.length === 1);
    second.destroy();
  });
});

function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import pino from 'pino';
import { Registry } from 'prom-client';

import { createBackgroundWork } from '../../../src/db/background-work.js';
import { createWebhookDelivery } from '../../../src/webhooks/index.js';
import type { TestApp } from './app.js';

/** A message that a receiver got. */
export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly event: { readonly id: string; readonly type: string; readonly subject: string };
}

type Answer = (message: Received, response: ServerResponse) => void;

/** A receiver of webhooks on this machine. It answers 204 unless `answer` is set. */
export async function createReceiver() {
  const received: Received[] = [];
  const receiver = { answer: undefined as Answer | undefined };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const event = JSON.parse(body) as Received['event'];
      const message = { path: request.url ?? '', headers: request.headers, body, event };
      received.push(message);
      if (receiver.answer !== undefined) receiver.answer(message, response);
      else response.writeHead(204).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return Object.assign(receiver, {
    received,
    url: (path = '/') => `http://127.0.0.1:${port}${path}`,
    of: (path: string) => received.filter((message) => message.path === path),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
}

export type Receiver = Awaited<ReturnType<typeof createReceiver>>;

/** The delivery of a replica, whose rounds the test starts. */
export function createTestDelivery(
  gatehouse: TestApp,
  { outbound = gatehouse.app.outbound, signal = new AbortController().signal } = {},
) {
  const register = new Registry();
  const delivery = createWebhookDelivery({
    keyring: gatehouse.keyring,
    manager: gatehouse.dataSource.manager,
    log: pino({ level: 'silent' }),
    register,
    work: createBackgroundWork(register),
    outbound,
    signal,
  });
  return {
    ...delivery,
    /** Delivers what is due, and what became due meanwhile. */
    async deliver() {
      for (let round = 0; round < 3; round += 1) {
        await delivery.tick();
        await delivery.settled();
      }
    },
  };
}

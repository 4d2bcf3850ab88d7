import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** A network between a guard and a server, with faults of the stream of changes. */
export interface FeedProxy {
  readonly origin: string;
  /** Breaks the open streams. */
  cut(): void;
  /** Delays everything that the server sends on streams, from now on, by this long. */
  lag(milliseconds: number): void;
  /** Passes nothing on over the open streams, without ending them. */
  stall(): void;
  close(): void;
}

/** @param target the origin of the server */
export async function startFeedProxy(target: string): Promise<FeedProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const streams = new Set<Socket>();
  const stalled = new Set<Socket>();
  let delay = 0;

  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        streams.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (bytes: Buffer) => {
      if (bytes.includes('GET /api/v1/verify/changes')) streams.add(client);
      upstream.write(bytes);
    });
    let before = Promise.resolve();
    upstream.on('data', (bytes: Buffer) => {
      if (!streams.has(client)) {
        client.write(bytes);
        return;
      }
      const due = performance.now() + delay;
      before = before.then(async () => {
        const left = due - performance.now();
        if (left > 0) await pause(left);
        if (!stalled.has(client)) client.write(bytes);
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => streams.forEach((socket) => socket.destroy()),
    lag(milliseconds) {
      delay = milliseconds;
    },
    stall: () => streams.forEach((socket) => stalled.add(socket)),
    close() {
      server.close();
      sockets.forEach((socket) => socket.destroy());
    },
  };
}

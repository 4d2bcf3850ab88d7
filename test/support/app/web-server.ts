import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

import type { Certificate } from '../browser/certificates.js';

type Respond = (request: IncomingMessage, response: ServerResponse) => void;

/** A server of a third party on this machine. */
export interface WebServer {
  readonly port: number;
  /** The paths that were requested, in their order. */
  readonly requested: string[];
  /** How a path answers; other paths are 404. */
  readonly pages: Map<string, Respond>;
  /** Serves a JSON document with status 200. */
  serve(path: string, document: unknown, headers?: Readonly<Record<string, string>>): void;
  close(): Promise<void>;
}

/** @param certificate for https */
export async function createWebServer(certificate?: Certificate): Promise<WebServer> {
  const requested: string[] = [];
  const pages = new Map<string, Respond>();
  const handle: Respond = (request, response) => {
    const path = request.url ?? '/';
    requested.push(path);
    const respond = pages.get(path) ?? pages.get(path.replace(/\?.*$/, ''));
    if (respond === undefined) response.writeHead(404).end();
    else respond(request, response);
  };
  const server =
    certificate === undefined
      ? createHttpServer(handle)
      : createHttpsServer({ cert: certificate.certificate, key: certificate.key }, handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    requested,
    pages,
    serve(path, document, headers = {}) {
      pages.set(path, (_request, response) =>
        response
          .writeHead(200, { 'Content-Type': 'application/json', ...headers })
          .end(typeof document === 'string' ? document : JSON.stringify(document)),
      );
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

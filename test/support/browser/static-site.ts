import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A single-page app on an origin that is not the server's. */
export interface StaticSite {
  /** `http://localhost:…`: another site than `127.0.0.1`, also for cookies. */
  readonly origin: string;
  close(): Promise<void>;
}

/** The path that redirects to whatever follows it, percent-encoded. */
export const ONWARD = '/onward/';

/** Serves `single-page-app.html`, whatever else is asked for. */
export async function createStaticSite(): Promise<StaticSite> {
  const page = await readFile(new URL('./single-page-app.html', import.meta.url));
  const server = createServer(({ url }, response) => {
    if (url?.startsWith(ONWARD)) {
      const [, target = ''] = /^\/onward\/([^?]*)/.exec(url) ?? [];
      return response.writeHead(302, { Location: decodeURIComponent(target) }).end();
    }
    return response.setHeader('Content-Type', 'text/html').end(page);
  }).listen(0, 'localhost');
  await once(server, 'listening');
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

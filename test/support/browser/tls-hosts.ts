import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BrowserContext } from 'playwright-core';

import { createTestApp, type TestApp } from '../app/app.js';
import { launchBrowser } from './browser.js';

/** The server over TLS at a host of its own, with a sibling host of an attacker and an app elsewhere. */
export interface TlsHosts {
  readonly gatehouse: TestApp;
  readonly issuer: string;
  /** Where the app's callback is. */
  readonly callback: string;
  /** A page of the sibling host that sets these cookies, written as `Set-Cookie` lines. */
  planting(lines: readonly string[]): string;
  /**
   * Holds the server's next answer to a path that begins like this, which it has given by then.
   * @returns resolves when it is held; the browser never gets it
   */
  holdNext(beginning: string): Promise<void>;
  /** A browser that has never been here. */
  newContext(): Promise<BrowserContext>;
  close(): Promise<void>;
}

const NAMES = { auth: 'auth.example.test', evil: 'evil.example.test', app: 'app.example.net' };

export async function createTlsHosts(): Promise<TlsHosts> {
  let handle: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
  const server = createServer(await createCertificate(), (...exchange) => handle(...exchange));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const origins = {
    issuer: `https://${NAMES.auth}:${port}`,
    evil: `https://${NAMES.evil}:${port}`,
    app: `https://${NAMES.app}:${port}`,
  };
  const gatehouse = await createTestApp({ ISSUER: origins.issuer });
  const real = await launchBrowser([
    `--host-resolver-rules=${Object.values(NAMES)
      .map((name) => `MAP ${name} 127.0.0.1`)
      .join(', ')}`,
  ]);

  let held: { readonly beginning: string; readonly resolve: () => void } | undefined;
  /** @returns whether an answer to the path is held back */
  const holds = (path: string): boolean => {
    if (held === undefined || !path.startsWith(held.beginning)) return false;
    held.resolve();
    held = undefined;
    return true;
  };
  handle = (request, response) => {
    const { url = '/', method, headers } = request;
    const page = (more = {}) =>
      response.writeHead(200, { 'Content-Type': 'text/html', ...more }).end('<p>A page</p>');
    if (headers.host === new URL(origins.app).host) return page();
    if (headers.host === new URL(origins.evil).host) {
      return page({ 'Set-Cookie': new URL(url, origins.evil).searchParams.getAll('cookie') });
    }
    const onward = forward(gatehouse.origin + url, { method, headers }, (answer) => {
      if (holds(url)) return answer.resume();
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      return answer.pipe(response);
    });
    return request.pipe(onward);
  };

  return {
    gatehouse,
    issuer: origins.issuer,
    callback: `${origins.app}/callback`,
    planting(lines) {
      const url = new URL(origins.evil);
      for (const line of lines) url.searchParams.append('cookie', line);
      return url.href;
    },
    holdNext: (beginning) =>
      new Promise((resolve) => {
        held = { beginning, resolve };
      }),
    async newContext() {
      const context = await real.browser.newContext({ ignoreHTTPSErrors: true });
      context.setDefaultTimeout(25_000);
      return context;
    },
    async close() {
      await real.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await gatehouse.close();
    },
  };
}

/** A key and a certificate that nobody trusts. */
async function createCertificate(): Promise<{ key: string; cert: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-tls-'));
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    await promisify(execFile)('openssl', [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      key,
      '-out',
      cert,
      '-days',
      '2',
      '-subj',
      '/CN=example.test',
    ]);
    return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

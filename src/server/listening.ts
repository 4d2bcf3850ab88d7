import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collectDefaultMetrics, type Registry } from 'prom-client';
import type { Logger } from 'pino';

import type { Config } from '../config.js';
import { createBatchedLookup, createVerifierPool } from '../credentials/index.js';
import { createBoundedServer, listen } from '../http/connections/server.js';
import { createSigningKeys } from '../signing-keys/index.js';
import { registerBuildInfo } from './build-info.js';
import type { ServerInstance } from './instance.js';
import { closeNow, drained, type Stopping } from './stopping.js';

const MAX_METRICS_CONNECTIONS = 100;

/** The parts of a server process that exist from its beginning. */
export interface Serving {
  readonly config: Config;
  readonly log: Logger;
  readonly register: Registry;
  readonly stopping: Stopping;
}

/**
 * Serves an instance until the server is to stop.
 * @param onListening called with the port before requests are accepted
 */
export async function serve(
  serving: Serving,
  { dataSource, keyring, target }: ServerInstance,
  onListening: (port: number) => Promise<void>,
): Promise<void> {
  const { config, log, register, stopping } = serving;
  // Output of libraries becomes log lines. The app is loaded afterwards, and once a start can succeed.
  console.warn = (text: unknown) => log.warn({}, String(text));
  const { createApp } = await import('../app.js');
  const { startBackground } = await import('./background.js');
  const { LOOKUP_QUERIES } = await import('./lookup-queries.js');
  const signingKeys = createSigningKeys({ dataSource, keyring });
  await signingKeys.refresh();
  const pool = createVerifierPool(target, (error) =>
    log.warn({ err: error }, 'a connection of the verifier broke'),
  );
  const isStopping = () => stopping.stopped.aborted;
  const parts = { config, dataSource, keyring, signingKeys, log };
  const lookup = createBatchedLookup({ pool, queries: LOOKUP_QUERIES, register });
  const app = createApp({ ...parts, lookup, register, isStopping });
  const server = createBoundedServer(app.koa.callback(), {
    maxConnections: config.MAX_CONNECTIONS,
    isStopping,
  });
  const endBackground = startBackground({ ...parts, app, signal: stopping.stopped });
  try {
    await Promise.all([app.budgets.sync(), app.prefixes.refresh()]);
    await listen(server, config.HOST, config.PORT);
    const { address, port } = server.address() as AddressInfo;
    log.info({ address, port, issuer: config.ISSUER }, 'listening');
    await onListening(port);
    await drained(server, serving);
  } finally {
    closeNow(server);
    await endBackground();
    await pool.end();
  }
}

/** Serves the metrics at `METRICS_PORT`, if it is set. */
export async function serveMetrics(
  config: Config,
  register: Registry,
): Promise<Server | undefined> {
  if (config.METRICS_PORT === undefined) return undefined;
  collectDefaultMetrics({ register });
  registerBuildInfo(register);
  // Many who ask at once share one text.
  let text: Promise<string> | undefined;
  const read = () => {
    text ??= register.metrics().finally(() => (text = undefined));
    return text;
  };
  const answer: RequestListener = (request, response) => {
    if (request.url !== '/metrics') return void response.writeHead(404).end();
    return void read().then(
      (body) => response.writeHead(200, { 'Content-Type': register.contentType }).end(body),
      () => response.writeHead(500).end(),
    );
  };
  const server = createBoundedServer(answer, { maxConnections: MAX_METRICS_CONNECTIONS });
  return listen(server, config.HOST, config.METRICS_PORT);
}

import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Logger } from 'pino';

import { startBackground } from './server/background.js';
import { registerBuildInfo } from './server/build-info.js';
import { misspelledSettings, readConfig, type Config } from './config.js';
import { describeNearMiss } from './config/near-misses.js';
import { createBatchedLookup } from './credentials/verification/lookup.js';
import { createVerifierPool } from './credentials/verification/pool.js';
import { StartupError } from './db/startup-error.js';
import {
  createDemo,
  findUnshown,
  greeting,
  noteShown,
  reminder,
  type Demo,
  type Unshown,
} from './server/demo.js';
import { drain } from './http/connections/draining.js';
import { assertPortIsFree } from './http/connections/port.js';
import { createBoundedServer, listen } from './http/connections/server.js';
import { openInstance, type ServerInstance } from './server/instance.js';
import { createLog } from './server/log.js';
import { createSigningKeyStore } from './signing-keys/signing-key-store.js';
import { createSigningKeys } from './signing-keys/signing-keys.js';

const MAX_METRICS_CONNECTIONS = 100;

/** Starts the server and resolves when it has stopped. */
async function main(): Promise<void> {
  const config = readConfig(process.env, process.cwd());
  const log = createLog({ level: config.LOG_LEVEL, brand: config.TOKEN_BRAND });
  for (const miss of misspelledSettings(process.env)) log.warn({}, describeNearMiss(miss));
  const { stopped, hurried } = stopBySignals();
  // The reader of the greeting may have closed the pipe.
  process.stdout.on('error', () => undefined);

  // Checks the port before anything is created. Listening begins once requests can be answered.
  await assertPortIsFree(config.HOST, config.PORT);
  const register = new Registry();
  let metrics: Server | undefined;
  try {
    metrics = await serveMetrics(config, register);
    await start({ config, log, register, stopped, hurried });
  } catch (error) {
    // Stopped while starting: everything that was open is closed.
    if (!stopped.aborted || error !== stopped.reason) throw error;
    log.info({}, 'stopped before it was ready');
  } finally {
    if (metrics !== undefined) end(metrics);
  }
}

/**
 * Stops the server on SIGTERM, on SIGHUP (a closed terminal must not leave the embedded database running) and on SIGINT.
 * A person waits for SIGINT, so it skips the delay, also one that has begun.
 */
function stopBySignals(): { readonly stopped: AbortSignal; readonly hurried: AbortSignal } {
  const stopped = new AbortController();
  const hurried = new AbortController();
  // Further signals have no effect.
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopped.abort());
  process.on('SIGINT', () => {
    hurried.abort();
    stopped.abort();
  });
  return { stopped: stopped.signal, hurried: hurried.signal };
}

interface Serving {
  readonly config: Config;
  readonly log: Logger;
  readonly register: Registry;
  readonly stopped: AbortSignal;
  /** Ends the delay before the listener closes. */
  readonly hurried: AbortSignal;
}

async function start(serving: Serving): Promise<void> {
  const { config, log, stopped } = serving;
  let demo: Demo | undefined;
  let unshown: Unshown | undefined;
  const instance = await openInstance({
    config,
    log,
    seed: async (dataSource, keyring) => {
      await dataSource.transaction((manager) => createSigningKeyStore(manager, keyring).ensure());
      unshown = await findUnshown(dataSource);
      if (config.NODE_ENV !== 'production') demo = await createDemo(dataSource, keyring, config);
      // Keeps the lock until the greeting is written, so that no other server shows a reminder.
      return demo !== undefined || unshown !== undefined;
    },
    signal: stopped,
  });
  try {
    await serve(serving, instance, async (port) => {
      if (demo !== undefined) process.stdout.write(greeting(demo, addressOf(config, port)));
      else if (unshown !== undefined) process.stdout.write(reminder(unshown));
      if (demo !== undefined || unshown !== undefined) await noteShown(instance.dataSource);
      await instance.letOthersStart();
    });
  } finally {
    await instance.close();
  }
  log.info({}, 'stopped');
}

/** @param onListening called with the port before requests are accepted */
async function serve(
  { config, log, register, stopped, hurried }: Serving,
  { dataSource, keyring, target }: ServerInstance,
  onListening: (port: number) => Promise<void>,
): Promise<void> {
  // Output of libraries becomes log lines. The app is loaded afterwards, and once a start can succeed.
  console.warn = (text: unknown) => log.warn({}, String(text));
  const { createApp } = await import('./app.js');
  const { LOOKUP_QUERIES } = await import('./server/lookup-queries.js');
  const signingKeys = createSigningKeys({ dataSource, keyring });
  await signingKeys.refresh();
  const pool = createVerifierPool(target, (error) =>
    log.warn({ err: error }, 'a connection of the verifier broke'),
  );
  const isStopping = () => stopped.aborted;
  const lookup = createBatchedLookup({ pool, queries: LOOKUP_QUERIES, register });
  const app = createApp({
    config,
    dataSource,
    lookup,
    keyring,
    signingKeys,
    log,
    register,
    isStopping,
  });
  const server = createBoundedServer(app.koa.callback(), {
    maxConnections: config.MAX_CONNECTIONS,
    isStopping,
  });
  const endBackground = startBackground({
    app,
    config,
    dataSource,
    keyring,
    signingKeys,
    log,
    signal: stopped,
  });
  try {
    await Promise.all([app.budgets.sync(), app.prefixes.refresh()]);
    await listen(server, config.HOST, config.PORT);
    const { address, port } = server.address() as AddressInfo;
    log.info({ address, port, issuer: config.ISSUER }, 'listening');
    await onListening(port);

    await aborted(stopped);
    const delaySeconds = hurried.aborted ? 0 : config.DRAIN_DELAY_SECONDS;
    log.info({ delaySeconds }, 'stopping');
    // Gives load balancers time to notice /readyz before the listener closes.
    await pause(delaySeconds * 1000, undefined, { signal: hurried }).catch(() => undefined);
    await drain(server);
  } finally {
    end(server);
    await endBackground();
    await pool.end();
  }
}

function end(server: Server): void {
  server.close();
  server.closeAllConnections();
}

async function serveMetrics(config: Config, register: Registry): Promise<Server | undefined> {
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

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** The issuer, because sign-in works at its origin only. With `PORT=0` the default issuer is not reachable. */
function addressOf({ ISSUER, PORT }: Config, port: number): string {
  return ISSUER === `http://localhost:${PORT}` ? `http://localhost:${port}` : ISSUER;
}

await main().catch((error: unknown) => {
  process.stderr.write(
    error instanceof StartupError ? `${error.message}\n` : `${(error as Error).stack}\n`,
  );
  process.exitCode = 1;
});

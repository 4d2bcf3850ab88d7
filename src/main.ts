import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';

import { clean } from './cleaning.js';
import type { App } from './app.js';
import { misspelledSettings, readConfig, type Config } from './config.js';
import { describeNearMiss } from './config/near-misses.js';
import { createBatchedLookup } from './credentials/lookup.js';
import { FOLLOWED_WITHIN_SECONDS } from './credentials/imported-prefixes.js';
import type { Keyring } from './credentials/keyring.js';
import { sealAnew } from './credentials/readable.js';
import { createVerifierPool } from './credentials/verifier-pool.js';
import { StartupError } from './db/startup-error.js';
import {
  createDemo,
  findUnshown,
  greeting,
  noteShown,
  reminder,
  type Demo,
  type Unshown,
} from './demo.js';
import { ERROR_PAGE_PATH } from './docs/error-page.js';
import { createBoundedServer, drain, listen } from './http/server.js';
import { createStartingHandler, type StartingHandler } from './http/starting.js';
import { openInstance } from './instance.js';
import { createLog } from './log.js';
import { createSigningKeyStore } from './signing-keys/signing-key-store.js';
import { createSigningKeys, type SigningKeys } from './signing-keys/signing-keys.js';

/** Last use must show within ten seconds. */
const FLUSH_EVERY_MS = 7000;
const CLEAN_EVERY_MS = 60_000;
/** How far replicas may lag behind a rotation of the signing keys, or a new prefix of imported keys. */
const FOLLOW_EVERY_MS = FOLLOWED_WITHIN_SECONDS * 1000;
const SHARE_BUDGETS_EVERY_MS = 1000;
const MAX_METRICS_CONNECTIONS = 100;

/** Starts the server and resolves when it has stopped. */
async function main(): Promise<void> {
  const config = readConfig(process.env, process.cwd());
  const log = createLog({ level: config.LOG_LEVEL, brand: config.TOKEN_BRAND });
  for (const miss of misspelledSettings(process.env)) log.warn({}, describeNearMiss(miss));
  const stopped = new AbortController();
  // Further signals change nothing: stopping is under way.
  // A closed terminal (SIGHUP) must not leave the embedded database running.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => stopped.abort());
  }
  // Whoever read the greeting may have gone.
  process.stdout.on('error', () => undefined);

  // The ports first, so that a busy one is found before anything is made or started.
  const handler = createStartingHandler(config.ISSUER + ERROR_PAGE_PATH);
  const server = await listen(
    createBoundedServer(handler.handle, { maxConnections: config.MAX_CONNECTIONS }),
    config.HOST,
    config.PORT,
  );
  const register = new Registry();
  let metrics: Server | undefined;
  try {
    metrics = await serveMetrics(config, register);
    await serve({ config, log, register, server, handler, signal: stopped.signal });
  } catch (error) {
    // Told to stop while starting: what was open is closed again.
    if (!stopped.signal.aborted || error !== stopped.signal.reason) throw error;
    log.info({}, 'stopped before it was ready');
  } finally {
    for (const open of [server, metrics]) {
      open?.close();
      open?.closeAllConnections();
    }
  }
}

interface Serving {
  readonly config: Config;
  readonly log: Logger;
  readonly register: Registry;
  readonly server: Server;
  readonly handler: StartingHandler;
  readonly signal: AbortSignal;
}

async function serve(serving: Serving): Promise<void> {
  const { config, log, register, server, handler, signal } = serving;
  let demo: Demo | undefined;
  let unshown: Unshown | undefined;
  const instance = await openInstance({
    config,
    log,
    fill: async (dataSource, keyring) => {
      await dataSource.transaction((manager) => createSigningKeyStore(manager, keyring).ensure());
      unshown = await findUnshown(dataSource);
      if (config.NODE_ENV !== 'production') demo = await createDemo(dataSource, keyring, config);
      // Until it is shown, so that no other server takes it for never shown.
      return demo !== undefined || unshown !== undefined;
    },
    signal,
  });
  const { dataSource, keyring, target } = instance;
  // What libraries print is a line of the log. They are loaded after that, and once a start can succeed.
  console.warn = (text: unknown) => log.warn({}, String(text));
  const { createApp } = await import('./app.js');
  const { LOOKUP_QUERIES } = await import('./lookup-queries.js');
  const signingKeys = createSigningKeys({ dataSource, keyring });
  await signingKeys.refresh().catch(async (error: unknown) => {
    await instance.close();
    throw error;
  });
  const verifierPool = createVerifierPool(target, (error) =>
    log.warn({ err: error }, 'a connection of the verifier broke'),
  );
  const isStopping = () => signal.aborted;
  const lookup = createBatchedLookup({
    pool: verifierPool,
    queries: LOOKUP_QUERIES,
    register,
  });
  const app = createApp({
    ...{ config, dataSource, lookup, keyring, signingKeys, log, register, isStopping },
  });
  await Promise.all([app.budgets.exchange(), app.prefixes.refresh()]);
  const background = [
    setInterval(() => void app.activity.flush(), FLUSH_EVERY_MS),
    setInterval(() => void cleanUp({ dataSource, keyring }, config, log, signal), CLEAN_EVERY_MS),
    setInterval(() => void follow(signingKeys, log), FOLLOW_EVERY_MS),
    setInterval(() => void followPrefixes(app, log), FOLLOW_EVERY_MS),
    setInterval(() => void app.budgets.exchange(), SHARE_BUDGETS_EVERY_MS),
  ];
  handler.become(app.koa.callback());

  const { address, port } = server.address() as AddressInfo;
  log.info({ address, port, issuer: config.ISSUER }, 'listening');
  if (demo !== undefined) process.stdout.write(greeting(demo, addressOf(config, port)));
  else if (unshown !== undefined) process.stdout.write(reminder(unshown));
  if (demo !== undefined || unshown !== undefined) await noteShown(dataSource);
  await instance.letOthersStart();

  await aborted(signal);
  log.info({}, 'stopping');
  await drain(server);
  for (const timer of background) clearInterval(timer);
  await Promise.all([app.activity.flush(), app.budgets.exchange()]);
  await verifierPool.end();
  await instance.close();
  log.info({}, 'stopped');
}

async function serveMetrics(config: Config, register: Registry): Promise<Server | undefined> {
  if (config.METRICS_PORT === undefined) return undefined;
  collectDefaultMetrics({ register });
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

async function cleanUp(
  { dataSource, keyring }: { dataSource: DataSource; keyring: Keyring },
  { AUDIT_RETENTION_DAYS: auditRetentionDays }: Config,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  try {
    await clean(dataSource, signal, { auditRetentionDays });
    await sealAnew(dataSource.manager, keyring, signal);
  } catch (error) {
    log.warn({ err: error }, 'cleaning up failed');
  }
}

async function follow(signingKeys: SigningKeys, log: Logger): Promise<void> {
  try {
    if (await signingKeys.refresh()) log.info({}, 'the signing keys changed');
  } catch (error) {
    log.warn({ err: error }, 'the signing keys could not be read; the last ones stay in use');
  }
}

async function followPrefixes({ prefixes }: App, log: Logger): Promise<void> {
  try {
    await prefixes.refresh();
  } catch (error) {
    log.warn(
      { err: error },
      'the prefixes of imported keys could not be read; the known ones stay',
    );
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** The issuer, at whose origin alone signing in works. With `PORT=0` the default one is nowhere. */
function addressOf({ ISSUER, PORT }: Config, port: number): string {
  return ISSUER === `http://localhost:${PORT}` ? `http://localhost:${port}` : ISSUER;
}

await main().catch((error: unknown) => {
  process.stderr.write(
    error instanceof StartupError ? `${error.message}\n` : `${(error as Error).stack}\n`,
  );
  process.exitCode = 1;
});

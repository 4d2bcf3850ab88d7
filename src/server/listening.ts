import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import type { Logger } from 'pino';

import type { App } from '../app.js';
import type { Config } from '../config.js';
import { createBatchedLookup, createVerifierPool } from '../credentials/index.js';
import { PROCESS_TASKS } from '../db/background-work.js';
import { drain } from '../http/connections/draining.js';
import { createBoundedServer, listen } from '../http/connections/server.js';
import { createSigningKeys } from '../signing-keys/index.js';
import type { Instance } from './instance.js';
import { logWarningsOfLibraries } from './log.js';
import { closeNow, delayed, type Stopping } from './stopping.js';

/** The parts of a server process that exist from its beginning. */
export interface Serving {
  readonly config: Config;
  readonly log: Logger;
  readonly register: Registry;
  readonly stopping: Stopping;
  /** Whether a primary process accepts the connections of this one, and does the work that workers share. */
  readonly isWorker?: boolean;
}

/** Loads the modules that answer requests: about half of the time that a process needs to start. Later calls take none. */
export async function loadProgram() {
  const [{ createApp }, { startProcessWork, startSharedWork }, { LOOKUP_QUERIES }, webhooks] =
    await Promise.all([
      import('../app.js'),
      import('./background.js'),
      import('./lookup-queries.js'),
      import('../webhooks/index.js'),
    ]);
  const { createWebhookDelivery } = webhooks;
  return { createApp, startProcessWork, startSharedWork, LOOKUP_QUERIES, createWebhookDelivery };
}

type Opened = Pick<Instance, 'dataSource' | 'keyring' | 'target'>;

/**
 * Serves an instance by this process alone until the server is to stop.
 * @param onListening called with the port before requests are accepted
 */
export async function serve(
  serving: Serving,
  instance: Opened,
  onListening: (port: number) => Promise<void>,
): Promise<void> {
  const { config, log, stopping } = serving;
  await serveRequests(serving, instance, async (server, { mail, work, outbound }) => {
    const { startSharedWork, createWebhookDelivery } = await loadProgram();
    const signal = stopping.stopped;
    const parts = { ...instance, work, log, signal };
    const { manager } = instance.dataSource;
    const webhooks = createWebhookDelivery({
      ...parts,
      manager,
      outbound,
      register: serving.register,
    });
    const endSharedWork = startSharedWork({ ...parts, config, mail, webhooks });
    try {
      await listen(server, config.HOST, config.PORT);
      const { address, port } = server.address() as AddressInfo;
      log.info({ address, port, issuer: config.ISSUER }, 'listening');
      await onListening(port);
      await delayed(serving);
      await drain(server);
    } finally {
      endSharedWork();
    }
  });
}

/**
 * Answers requests.
 * @param accept gives connections to the HTTP server, and resolves when they have ended
 */
export async function serveRequests(
  { config, log, register, stopping, isWorker = false }: Serving,
  { dataSource, keyring, target }: Opened,
  accept: (server: Server, app: App) => Promise<void>,
): Promise<void> {
  logWarningsOfLibraries(log);
  const { createApp, startProcessWork, LOOKUP_QUERIES } = await loadProgram();
  const signingKeys = createSigningKeys({ dataSource, keyring });
  await signingKeys.refresh();
  const pool = createVerifierPool(target, (error) =>
    log.warn({ err: error }, 'a connection of the verifier broke'),
  );
  const isStopping = () => stopping.stopped.aborted;
  const parts = { config, dataSource, keyring, signingKeys, log };
  const lookup = createBatchedLookup({ pool, queries: LOOKUP_QUERIES, register });
  const tasks = isWorker && { tasks: PROCESS_TASKS };
  const app = createApp({ ...parts, ...tasks, lookup, register, isStopping });
  const server = createBoundedServer(app.koa.callback(), {
    maxConnections: Math.ceil(config.MAX_CONNECTIONS / config.WORKERS),
    isWorker,
    isStopping,
  });
  const endProcessWork = startProcessWork({ ...parts, app });
  try {
    await Promise.all([app.budgets.sync(), app.prefixes.refresh()]);
    await accept(server, app);
  } finally {
    closeNow(server);
    await endProcessWork();
    await pool.end();
  }
}

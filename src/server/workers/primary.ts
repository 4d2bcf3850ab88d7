import cluster from 'node:cluster';
import type { AddressInfo } from 'node:net';

import { createResetLinks } from '../../accounts/index.js';
import type { Environment } from '../../config.js';
import { createSecretFormat } from '../../credentials/index.js';
import { createBackgroundWork, SHARED_TASKS } from '../../db/background-work.js';
import { StartupError } from '../../db/startup-error.js';
import { untilAllAccepted } from '../../http/connections/draining.js';
import { listen } from '../../http/connections/server.js';
import { createMail } from '../../mail/index.js';
import { createOutbound } from '../../outbound/index.js';
import { createWebhookDelivery } from '../../webhooks/index.js';
import { startSharedWork } from '../background.js';
import type { ServerInstance } from '../instance.js';
import type { Serving } from '../listening.js';
import { aborted, delayed } from '../stopping.js';
import type { ClusterMetrics } from './cluster-metrics.js';
import { createDispatcher } from './dispatcher.js';
import { WORKER_ARGUMENT } from './messages.js';
import { createSupervisor } from './supervisor.js';
import { startWorker } from './worker-process.js';

/** The time that workers may take to drain: longer than they give their requests. */
const DRAIN_WITHIN_MS = 15_000;
/** The time in which a worker takes a connection, unless it hangs. */
const TAKE_WITHIN_MS = 3000;

interface Options {
  /** The environment of the workers. */
  readonly env: Environment;
  /** The program of a worker. */
  readonly entry: string;
  readonly metrics: ClusterMetrics;
}

/**
 * Serves an instance by several processes until the server is to stop. This process accepts connections and does the
 * work that they share; it answers no requests.
 */
export async function serveByWorkers(
  { env, entry, metrics }: Options,
  serving: Serving,
  instance: ServerInstance,
  onListening: (port: number) => Promise<void>,
): Promise<void> {
  const { config, log, stopping } = serving;
  if (!cluster.isPrimary) {
    throw new StartupError('WORKERS must be 1 in a process that is a worker of another program.');
  }
  cluster.setupPrimary({ exec: entry, args: [WORKER_ARGUMENT], serialization: 'advanced' });
  const { target, secretKeys } = instance;
  const dispatcher = createDispatcher({ maxWaiting: config.MAX_CONNECTIONS });
  const assignment = { target, secretKeys, env };
  const on = { onStart: metrics.add, onServing: dispatcher.add };
  const startOne = () => startWorker({ assignment, log, ...on });
  const workers = createSupervisor({ count: config.WORKERS, startOne, log });
  const endSharedWork = startWork(serving, instance);
  try {
    await Promise.race([workers.start(), aborted(stopping.stopped)]);
    stopping.stopped.throwIfAborted();
    await listen(dispatcher.server, config.HOST, config.PORT);
    const { address, port } = dispatcher.server.address() as AddressInfo;
    const { ISSUER: issuer, WORKERS: count } = config;
    log.info({ address, port, issuer, workers: count }, 'listening');
    await onListening(port);
    stopping.stopped.addEventListener('abort', workers.stop, { once: true });
    if (stopping.stopped.aborted) workers.stop();
    await Promise.race([delayed(serving), workers.failed]);
    await untilAllAccepted(dispatcher.server);
    dispatcher.server.close();
    await dispatcher.settle(TAKE_WITHIN_MS);
    await workers.drain(DRAIN_WITHIN_MS);
  } finally {
    dispatcher.server.close();
    workers.kill();
    endSharedWork();
  }
}

/** Starts the cleanup and the delivery of mail. */
function startWork(
  { config, log, register, stopping }: Serving,
  { dataSource, keyring }: ServerInstance,
): () => void {
  const { manager } = dataSource;
  const work = createBackgroundWork(register, SHARED_TASKS);
  const format = createSecretFormat({ brand: config.TOKEN_BRAND });
  const resetLinkFor = createResetLinks({ manager, keyring, format, issuer: config.ISSUER });
  const mail = createMail({
    manager,
    keyring,
    log,
    work,
    register,
    settings: config,
    resetLinkFor,
  });
  const signal = stopping.stopped;
  const outbound = createOutbound({ register, isLoopbackAllowed: config.OUTBOUND_ALLOW_LOOPBACK });
  const parts = { keyring, log, work, register, outbound, signal };
  const webhooks = createWebhookDelivery({ ...parts, manager });
  return startSharedWork({ ...parts, config, dataSource, mail, webhooks });
}

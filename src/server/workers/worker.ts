import cluster from 'node:cluster';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Registry } from 'prom-client';

import { readConfig } from '../../config.js';
import { endConnections } from '../../http/connections/draining.js';
import { joinInstance } from '../instance.js';
import { serveRequests } from '../listening.js';
import { createLog } from '../log.js';
import { collectProcessMetrics } from '../metrics.js';
import { aborted } from '../stopping.js';
import { report, type Assignment, type Order } from './messages.js';

/** Serves the connections that the primary process hands over, until that one says to stop. */
export async function serveAsWorker(): Promise<void> {
  // The primary process decides about them. A terminal and systemd send them to all processes.
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const)
    process.on(signal, () => undefined);
  const register = new Registry();
  const { assignment, stopped, draining, connections } = await takeOrders(register);
  const config = readConfig(assignment.env, process.cwd());
  const { LOG_LEVEL: level, TOKEN_BRAND: brand } = config;
  const log = createLog({ level, brand }).child({ worker: cluster.worker?.id });
  if (config.METRICS_PORT !== undefined) collectProcessMetrics(register);
  const instance = await joinInstance(assignment, { config, log });
  // The primary process waits for the delay.
  const stopping = { stopped, hurried: stopped };
  const serving = { config, log, register, stopping, isWorker: true };
  try {
    await serveRequests(serving, instance, async (server) => {
      const closed = connections.to(server);
      report({ type: 'serving' });
      await aborted(draining);
      await endConnections(server, closed());
    });
  } finally {
    await instance.close();
  }
}

interface Orders {
  readonly assignment: Assignment;
  readonly stopped: AbortSignal;
  readonly draining: AbortSignal;
  readonly connections: ReturnType<typeof createConnections>;
}

/** Obeys the primary process. Resolves when the assignment has come. */
function takeOrders(register: Registry): Promise<Orders> {
  const stopped = new AbortController();
  const draining = new AbortController();
  const connections = createConnections();
  const sendMetrics = async (id: number) =>
    report({ type: 'metrics', id, snapshot: await register.getMetricsAsJSON() });
  return new Promise((resolve) => {
    process.on('message', (order: Order, socket?: Socket) => {
      if (order.type === 'open') {
        const { assignment } = order;
        resolve({ assignment, stopped: stopped.signal, draining: draining.signal, connections });
      } else if (order.type === 'connection') {
        report({ type: 'taken', id: order.id });
        // A connection that its client has ended may come without a socket.
        if (socket !== undefined) connections.take(socket);
      } else if (order.type === 'metrics') void sendMetrics(order.id);
      else if (order.type === 'stop') stopped.abort();
      else draining.abort();
    });
    report({ type: 'started' });
  });
}

/** The connections of this worker. */
function createConnections() {
  const open = new Set<Socket>();
  let server: Server | undefined;
  return {
    take(socket: Socket): void {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      server?.emit('connection', socket);
    },
    /** @returns a function that waits until all are closed */
    to(receiver: Server): () => Promise<void> {
      server = receiver;
      // Node begins to enforce timeouts of requests when a server listens.
      server.emit('listening');
      return async () => {
        for (const socket of open) {
          if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
        }
      };
    },
  };
}

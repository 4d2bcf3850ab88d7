import type { Client } from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartupError } from '../startup-error.js';
import type { Cluster } from './cluster.js';
import type { Endpoint } from './endpoint.js';
import { boundLog, ensureRunning, stopPostmaster } from './postmaster.js';
import { close, connectAsSuperuser, enter, leave } from './superuser-session.js';

/** `serve`: the only server of the data directory. `share`: a command that runs beside a server or other commands. */
export type Mode = 'serve' | 'share';

/** The log of the embedded PostgreSQL. A pino logger fits. */
export interface Log {
  info(obj: object, msg: string): void;
  warn(obj: object, msg: string): void;
}

/** The use of a running cluster. While its connection is open, no other process stops the cluster. */
export interface Lease {
  readonly client: Client;
  readonly endpoint: Endpoint;
  /** Whether the cluster was started for this lease. */
  readonly started: boolean;
}

interface LeaseOptions {
  readonly cluster: Cluster;
  readonly mode: Mode;
  /** The data directory as the operator wrote it, for messages. */
  readonly dataDir: string;
}

const RETRY_MS = 20;
const LEASE_TIMEOUT_MS = 60_000;
const RECOVERY_PAUSE_MS = 1_000;
const LOG_CHECK_MS = 60_000;

/**
 * Starts the cluster unless it runs, and leases it. Retries if another process is stopping it.
 *
 * @throws StartupError if it cannot run, does not answer, or (`serve`) has another server
 */
export async function leaseCluster(
  { cluster, mode, dataDir }: LeaseOptions,
  { preferred, signal }: { preferred?: Endpoint; signal?: AbortSignal } = {},
): Promise<Lease> {
  const deadline = Date.now() + LEASE_TIMEOUT_MS;
  while (Date.now() < deadline) {
    const { endpoint, started } = await ensureRunning(cluster, { preferred, signal });
    const client = await connectAsSuperuser(cluster, endpoint);
    // Rejected when the connection is lost: the cluster is being stopped, or has crashed.
    const entered = client && (await enter(client, mode).catch(() => undefined));
    if (client && entered) return { client, endpoint, started };
    if (client) await close(client);
    if (entered === false) {
      throw new StartupError(
        `The data directory ${dataDir} is in use by another Gatehouse server: stop that one or use another DATA_DIR.`,
      );
    }
    await sleep(RETRY_MS);
  }
  throw new StartupError(`The PostgreSQL of ${dataDir} runs but does not answer.`);
}

/** Ends a lease, and stops the cluster if it was the last one. */
export async function releaseCluster(cluster: Cluster, lease: Lease): Promise<void> {
  const last = await leave(lease.client).catch(() => undefined);
  // If the connection is lost, a new one checks for other leases. If that fails too, the cluster is down.
  const again = last === undefined ? await connectAsSuperuser(cluster, lease.endpoint) : undefined;
  try {
    if (last ?? (again && (await leave(again)))) await stopPostmaster(cluster, { mode: 'fast' });
  } finally {
    if (again) await close(again);
    await close(lease.client);
  }
}

/**
 * Keeps the cluster running. When the connection of the lease is lost, the cluster is started again if necessary
 * and leased again.
 *
 * @returns stops watching and returns the current lease
 */
export function watchCluster(
  options: LeaseOptions & { readonly log: Log },
  first: Lease,
): () => Promise<Lease> {
  const { cluster, log } = options;
  const stopping = new AbortController();
  let lease = first;
  let recovery = Promise.resolve();

  const watch = () => {
    lease.client.once('end', () => {
      if (!stopping.signal.aborted) recovery = recover();
    });
  };
  const recover = async () => {
    log.warn({}, 'the embedded PostgreSQL is gone, starting it again');
    const next = await recoverLease(options, {
      preferred: first.endpoint,
      signal: stopping.signal,
    });
    if (!next) return;
    lease = next;
    watch();
    log.info({ restarted: next.started }, 'the embedded PostgreSQL is back');
  };
  watch();

  const logCheck = setInterval(() => void boundLog(cluster).catch(() => 0), LOG_CHECK_MS).unref();
  return async () => {
    clearInterval(logCheck);
    stopping.abort();
    await recovery;
    return lease;
  };
}

/** Retries until it succeeds. @returns `undefined` if the signal was aborted before */
async function recoverLease(
  options: LeaseOptions & { readonly log: Log },
  { preferred, signal }: { preferred: Endpoint; signal: AbortSignal },
): Promise<Lease | undefined> {
  while (!signal.aborted) {
    try {
      return await leaseCluster(options, { preferred, signal });
    } catch (error) {
      if (signal.aborted) return undefined;
      options.log.warn({ err: error }, 'the embedded PostgreSQL cannot be started again yet');
    }
    await sleep(RECOVERY_PAUSE_MS, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

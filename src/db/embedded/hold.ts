import type { Client } from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartupError } from '../startup-error.js';
import type { Cluster } from './cluster.js';
import type { Endpoint } from './endpoint.js';
import { boundLog, ensureRunning, stopPostmaster } from './postmaster.js';
import { close, connectAsSuperuser, enter, leave } from './session.js';

/** `serve`: as the only server of the data directory. `borrow`: beside a server or another borrower. */
export type Mode = 'serve' | 'borrow';

/** Where the embedded PostgreSQL says what it does. A pino logger fits. */
export interface Log {
  info(obj: object, msg: string): void;
  warn(obj: object, msg: string): void;
}

/** A running cluster, held by an open connection: as long as it is open, nobody else stops the cluster. */
export interface Hold {
  readonly client: Client;
  readonly endpoint: Endpoint;
  /** Whether the cluster was started for this hold, not found running. */
  readonly started: boolean;
}

interface HoldOptions {
  readonly cluster: Cluster;
  readonly mode: Mode;
  /** How the operator calls the data directory. */
  readonly dataDir: string;
}

const RETRY_MS = 20;
const HOLD_TIMEOUT_MS = 60_000;
const RECOVERY_PAUSE_MS = 1_000;
const LOG_CHECK_MS = 60_000;

/**
 * Gets the cluster running, by whoever's hand, and holds it. Tries again when the one it found is just being stopped.
 *
 * @throws StartupError when it can't run, doesn't answer, or (`serve`) has another server
 */
export async function holdCluster(
  { cluster, mode, dataDir }: HoldOptions,
  { preferred, signal }: { preferred?: Endpoint; signal?: AbortSignal } = {},
): Promise<Hold> {
  const deadline = Date.now() + HOLD_TIMEOUT_MS;
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

/** Ends a hold, and stops the cluster if nobody else has one. */
export async function releaseCluster(cluster: Cluster, hold: Hold): Promise<void> {
  const last = await leave(hold.client).catch(() => undefined);
  // With the connection lost, it takes a new one to know who else is there. If that fails, it is down.
  const again = last === undefined ? await connectAsSuperuser(cluster, hold.endpoint) : undefined;
  try {
    if (last ?? (again && (await leave(again)))) await stopPostmaster(cluster, { mode: 'fast' });
  } finally {
    if (again) await close(again);
    await close(hold.client);
  }
}

/**
 * Keeps the cluster running and held: when the connection of the hold is lost, the database has died or dropped all its
 * connections, so it is started again if need be and held anew.
 *
 * @returns a function that ceases to watch and hands back the hold as it is then
 */
export function watchCluster(
  options: HoldOptions & { readonly log: Log },
  first: Hold,
): () => Promise<Hold> {
  const { cluster, log } = options;
  const stopping = new AbortController();
  let hold = first;
  let recovery = Promise.resolve();

  const watch = () => {
    hold.client.once('end', () => {
      if (!stopping.signal.aborted) recovery = recover();
    });
  };
  const recover = async () => {
    log.warn({}, 'the embedded PostgreSQL is gone, starting it again');
    const next = await recoverHold(options, { preferred: first.endpoint, signal: stopping.signal });
    if (!next) return;
    hold = next;
    watch();
    log.info({ restarted: next.started }, 'the embedded PostgreSQL is back');
  };
  watch();

  const logCheck = setInterval(() => void boundLog(cluster).catch(() => 0), LOG_CHECK_MS).unref();
  return async () => {
    clearInterval(logCheck);
    stopping.abort();
    await recovery;
    return hold;
  };
}

/** Tries until it succeeds; `undefined` if told to stop before. */
async function recoverHold(
  options: HoldOptions & { readonly log: Log },
  { preferred, signal }: { preferred: Endpoint; signal: AbortSignal },
): Promise<Hold | undefined> {
  while (!signal.aborted) {
    try {
      return await holdCluster(options, { preferred, signal });
    } catch (error) {
      if (signal.aborted) return undefined;
      options.log.warn({ err: error }, 'the embedded PostgreSQL cannot be started again yet');
    }
    await sleep(RECOVERY_PAUSE_MS, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

import { spawn, type ChildProcess } from 'node:child_process';
import { open, readFile, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartupError } from '../startup-error.js';
import type { Cluster } from './cluster.js';
import { chooseEndpoint, isSocket, type Endpoint } from './endpoint.js';
import { findPostmaster, removeStalePidFile } from './pid-file.js';
import { programOptions, runProgram } from './run-program.js';

const POLL_MS = 10;
const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_SECONDS = 60;
const LOG_LIMIT_BYTES = 8 * 1024 * 1024;

/** Settings of every cluster. Statements and values are not logged, since they may be secrets. */
const SETTINGS = {
  max_connections: '100',
  shared_buffers: '128MB',
  unix_socket_permissions: '0700',
  log_checkpoints: 'off',
  log_error_verbosity: 'terse',
  log_min_error_statement: 'panic',
  log_line_prefix: '%m [%p] ',
};

/**
 * Finds the cluster's postmaster or starts one, and waits until it is ready. PostgreSQL admits only one to a data
 * folder, so processes that start at the same time get the same.
 *
 * @returns its endpoint, and whether this call started it
 * @throws StartupError with the reason from its log if it ends at once
 */
export async function ensureRunning(
  cluster: Cluster,
  {
    preferred,
    signal,
  }: { preferred?: Endpoint | undefined; signal?: AbortSignal | undefined } = {},
): Promise<{ endpoint: Endpoint; started: boolean }> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  let child: ChildProcess | undefined;
  let logOffset = 0;
  while (Date.now() < deadline) {
    signal?.throwIfAborted();
    const running = await findPostmaster(cluster.data);
    if (running?.ready) {
      return { endpoint: running.endpoint, started: running.pid === child?.pid };
    }
    if (!running && (child === undefined || hasEnded(child))) {
      if (child) await assertWorthRetrying(cluster, logOffset);
      await removeStalePidFile(cluster.data);
      logOffset = await boundLog(cluster);
      child = await startPostmaster(cluster, preferred ?? (await chooseEndpoint(cluster)));
    }
    await sleep(POLL_MS);
  }
  throw new StartupError(
    `PostgreSQL did not become ready within ${START_TIMEOUT_MS / 1000} s; its log is ${logPath(cluster)}.`,
  );
}

/** Stops the cluster's postmaster, if it runs, and waits for its end. Clients are disconnected. */
export async function stopPostmaster(
  cluster: Cluster,
  { mode }: { mode: 'fast' | 'immediate' },
): Promise<void> {
  for (const attempt of [mode, 'immediate'] as const) {
    if (!(await findPostmaster(cluster.data))) return;
    await runProgram({
      file: join(cluster.binaries.folder, 'bin/pg_ctl'),
      args: [
        'stop',
        `--pgdata=${cluster.data}`,
        `--mode=${attempt}`,
        '--wait',
        `--timeout=${STOP_TIMEOUT_SECONDS}`,
      ],
      account: cluster.account,
    });
  }
}

/**
 * Empties the log if it has grown beyond its limit.
 *
 * @returns its length now
 */
export async function boundLog(cluster: Cluster): Promise<number> {
  const size = (await stat(logPath(cluster)).catch(() => undefined))?.size ?? 0;
  if (size <= LOG_LIMIT_BYTES) return size;
  // PostgreSQL opened the file for appending, so it continues at the new end.
  await truncate(logPath(cluster));
  return 0;
}

async function startPostmaster(cluster: Cluster, endpoint: Endpoint): Promise<ChildProcess> {
  const listen = isSocket(endpoint)
    ? { unix_socket_directories: endpoint.host, listen_addresses: '' }
    : { unix_socket_directories: '', listen_addresses: endpoint.host };
  const settings = { ...SETTINGS, ...listen, port: `${endpoint.port}`, ...cluster.settings };
  const log = await open(logPath(cluster), 'a', 0o600);
  try {
    // Detached, so that no signal to this process group or terminal reaches it.
    const child = spawn(
      join(cluster.binaries.folder, 'bin/postgres'),
      [
        '-D',
        cluster.data,
        ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      { ...programOptions(cluster.account), detached: true, stdio: ['ignore', log.fd, log.fd] },
    );
    // Without a listener the error would be thrown. `hasEnded` detects that there is no process.
    child.on('error', () => undefined);
    child.unref();
    return child;
  } finally {
    await log.close();
  }
}

function hasEnded({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null;
}

/** @throws StartupError unless the reason for the postmaster's end is temporary */
async function assertWorthRetrying(cluster: Cluster, logOffset: number): Promise<void> {
  const log = await readFile(logPath(cluster));
  const lines = log.subarray(logOffset).toString().trim().split('\n');
  const reason = lines.findLast((line) => /\b(FATAL|PANIC):/.test(line)) ?? lines.at(-1);
  // Another process started it first, or the last processes of a dead one are still ending.
  if (reason && /lock file .* already exists|still in use|is empty/.test(reason)) return;
  const said =
    reason?.replace(/^.*?(FATAL|PANIC): +/, '').replace(/^but /, '') || 'it left no message';
  throw new StartupError(`PostgreSQL cannot start on ${cluster.data}: ${said}.`);
}

function logPath({ home }: Cluster): string {
  return join(home, 'postgresql.log');
}

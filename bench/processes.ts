import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { NO_LIMITS } from '../test/support/app/no-limits.js';

/** Servers get one core, load and database the other, where the system can pin processes. */
export const CORES = { server: '0', rest: '1' } as const;

/** Output of the last server. A pipe to a terminal would be part of the measurement. */
export const SERVER_LOG = path.join(tmpdir(), `gatehouse-bench-${process.pid}.log`);

/** Those of `npm start`; the floor gets them too. More can be given, such as `--cpu-prof`. */
const NODE_FLAGS = [...flagsOfStart(), ...(process.env['BENCH_NODE_FLAGS']?.split(' ') ?? [])];

const canPin = spawnSync('taskset', ['-c', '0', 'true']).status === 0;

/** A server that answers on `port` until it is stopped. */
export interface BenchServer {
  readonly port: number;
  /** Processor time it has used so far, in microseconds. */
  cpuMicros(): number;
  /** Resident memory in megabytes. */
  memory(): number;
  stop(): Promise<void>;
}

/** The options that `npm start` gives to Node, such as `--max-old-space-size`. */
function flagsOfStart(): readonly string[] {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    readonly scripts: { readonly start: string };
  };
  const [, flags] = /^exec node ((?:--\S+ )+)/.exec(scripts.start) ?? [];
  if (flags === undefined) throw new Error('the script `start` of package.json gives no options');
  return flags.trim().split(' ');
}

/** A command line that runs pinned to a core, or as it is where pinning isn't possible. */
export function pinned(core: string, command: readonly string[]): [string, string[]] {
  const [program = '', ...args] = canPin ? ['taskset', '-c', core, ...command] : command;
  return [program, args];
}

/** Starts a server of its own process and waits until it answers. */
export async function startServer(
  script: string,
  env: Readonly<Record<string, string>>,
): Promise<BenchServer> {
  const port = await freePort();
  const [program, args] = pinned(CORES.server, [process.execPath, ...NODE_FLAGS, script]);
  const output = openSync(SERVER_LOG, 'w');
  const child = spawn(program, args, {
    env: {
      ...process.env,
      NODE_ENV: 'development',
      ...NO_LIMITS,
      ...env,
      PORT: String(port),
    },
    stdio: ['ignore', 'ignore', output],
  });
  closeSync(output);
  await untilAnswering(child, port);
  return {
    port,
    cpuMicros: () => cpuMicros(child.pid ?? 0),
    memory: () => Number(/VmRSS:\s+(\d+)/.exec(statusOf(child.pid ?? 0))?.[1] ?? 0) / 1024,
    async stop() {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** From /proc; empty where there is none. */
function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

async function untilAnswering(child: ChildProcess, port: number): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline && child.exitCode === null) {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/me`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer !== undefined && answer.status !== 503) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the server on port ${port} did not start; see ${SERVER_LOG}`);
}

/** Processor time of a PostgreSQL server and all its backends so far, ended ones included, in microseconds. */
export function databaseCpuMicros(directory: string): number {
  const find = (...by: string[]) =>
    spawnSync('pgrep', by, { encoding: 'utf8' }).stdout.split('\n').filter(Boolean).map(Number);
  const servers = find('-f', `postgres -D ${directory}`);
  const backends = servers.flatMap((server) => find('-P', String(server)));
  const ended = servers.map((server) => cpuMicros(server, [13, 14]));
  return [...ended, ...backends.map((backend) => cpuMicros(backend))].reduce((a, b) => a + b, 0);
}

/** From /proc (clock ticks are a hundredth of a second on Linux); 0 where there is none. */
function cpuMicros(pid: number, [user, system]: readonly [number, number] = [11, 12]): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[user]) + Number(fields[system])) * 10_000;
  } catch {
    return 0;
  }
}

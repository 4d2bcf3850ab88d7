import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

import { testServer } from '../database/database.js';
import { createHttpClient, type HttpClient } from '../app/http-client.js';
import { NO_LIMITS } from '../app/no-limits.js';
import { until } from '../app/until.js';

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The built program, running as a process of its own. */
export interface ServerProcess extends HttpClient {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  /** Everything that it has written so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Where it listens; known once it is ready. */
  readonly origin: string;
  /** Sends a signal and waits for the end. */
  end(signal: 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGKILL'): Promise<Exit>;
}

/** Server processes of one test file. */
export interface ServerProcesses {
  /** Starts one and waits until `/readyz` says that it is ready. */
  start(env: Record<string, string>): Promise<ServerProcess>;
  /** Starts one and waits for nothing. */
  launch(env: Record<string, string>): ServerProcess;
  /**
   * Starts one that must not come up, and waits for its end.
   * @returns what it said on stderr
   * @throws Error unless it ends soon, with exit code 1 and nothing on stdout
   */
  refuse(env: Record<string, string>): Promise<string>;
  /** Kills those that still run. */
  killAll(): Promise<void>;
}

const READY_WITHIN_MS = 20_000;
const REFUSES_WITHIN_MS = 15_000;

/**
 * @param main the file that starts another release, instead of the one under test
 * @param options options of Node.js
 */
export function createServerProcesses(
  main = join(testServer().build, 'bundle/main.js'),
  options: readonly string[] = [],
): ServerProcesses {
  const running = new Set<ServerProcess>();
  const launch = (env: Record<string, string>) => {
    const server = launchServer([...options, main], env);
    running.add(server);
    void server.exited.then(() => running.delete(server));
    return server;
  };
  return {
    launch,
    async start(env) {
      const server = launch(env);
      await whenReady(server);
      return server;
    },
    async refuse(env) {
      const server = launch(env);
      let exit: Exit | undefined;
      void server.exited.then((value) => {
        exit = value;
      });
      const { code } = await until(() => exit, {
        withinMs: REFUSES_WITHIN_MS,
        what: 'the server ends by itself',
      });
      if (code === 1 && server.stdout() === '') return server.stderr();
      throw new Error(`it ended with ${code} and said: ${server.stdout()}${server.stderr()}`);
    },
    async killAll() {
      await Promise.all([...running].map((server) => server.end('SIGKILL')));
    },
  };
}

/** The key that a first start made, as it was shown on the terminal. */
export function keyInGreeting({ stdout }: ServerProcess): string {
  const key = /API key +(\S+)/.exec(stdout())?.[1];
  if (key === undefined) throw new Error(`there is no key in: ${stdout()}`);
  return key;
}

function launchServer(args: readonly string[], env: Record<string, string>): ServerProcess {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, args, {
    // Nothing of the test's own environment: what the program reads is what the test gives it.
    env: { PATH, HOME, PORT: '0', ...NO_LIMITS, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, which a test can send a signal to.
    detached: true,
  });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  let client: HttpClient | undefined;
  const origin = () => {
    const { address, port } = whereItListens(stderr());
    return `http://${address}:${port}`;
  };
  const clientOf = () => (client ??= createHttpClient(origin()));
  return {
    pid: pidOf(child),
    exited,
    stdout,
    stderr,
    get origin() {
      return origin();
    },
    send: (method, path, options) => clientOf().send(method, path, options),
    close: () => client?.close(),
    async end(signal) {
      child.kill(signal);
      const exit = await exited;
      client?.close();
      return exit;
    },
  };
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error('the server could not be started');
  return pid;
}

function whereItListens(log: string): { address: string; port: number } {
  const line = log.split('\n').find((candidate) => candidate.includes('"msg":"listening"'));
  if (line === undefined) throw new Error(`the server does not listen yet; it said: ${log}`);
  return JSON.parse(line) as { address: string; port: number };
}

async function whenReady(server: ServerProcess): Promise<void> {
  let exit: Exit | undefined;
  void server.exited.then((value) => {
    exit = value;
  });
  const isReady = async () => (await server.send('GET', '/readyz')).status === 200;
  await until(() => exit !== undefined || isReady(), {
    withinMs: READY_WITHIN_MS,
    what: 'the server is ready',
  });
  if (exit !== undefined) throw new Error(`the server ended: ${server.stderr()}`);
}

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { until } from '../app/until.js';

/** A server that the system's packages provide, running as a process of its own. */
export interface Program {
  readonly origin: string;
  readonly output: () => string;
  stop(): Promise<void>;
}

/**
 * Starts a program and waits until it answers.
 * @param answers whether it does; called again until it returns true
 * @throws Error if the program is not installed, or ends
 */
export async function startProgram(
  program: string,
  args: readonly string[],
  port: number,
  answers: (origin: string) => Promise<boolean>,
): Promise<Program> {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(program, args, {
    env: { PATH: `${PATH}:/usr/sbin:/usr/local/sbin`, HOME },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let failure: NodeJS.ErrnoException | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const origin = `http://127.0.0.1:${port}`;
  await until(() => failure !== undefined || child.exitCode !== null || answers(origin), {
    what: `${program} answers; it said: ${output}`,
  });
  if (failure?.code === 'ENOENT') {
    throw new Error(
      `${program} is not installed, and this test needs it: apt-get install -y haproxy nginx-light caddy`,
    );
  }
  if (failure !== undefined || child.exitCode !== null) {
    throw new Error(`${program} did not start: ${failure?.message ?? output}`);
  }
  return { origin, output: () => output, stop: () => stop(child) };
}

/**
 * Writes the files of an nginx with one site.
 * @param folder for its files; created if it is missing
 * @returns the main file
 */
export async function prepareNginx(folder: string, site: string): Promise<string> {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(folder, kind)};`,
  );
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'site.conf'), site);
  const file = join(folder, 'nginx.conf');
  await writeFile(
    file,
    `daemon off; pid ${join(folder, 'nginx.pid')}; error_log stderr warn; events {}
     http { access_log off; ${temporary.join(' ')} include ${join(folder, 'site.conf')}; }`,
  );
  return file;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { until } from '../app/until.js';

/** A balancer that runs as a process of its own. */
export interface Balancer {
  readonly origin: string;
  readonly output: () => string;
  stop(): Promise<void>;
}

interface Site {
  /** The ports of the replicas. */
  readonly replicas: readonly number[];
  readonly port: number;
  /** For its files. */
  readonly folder: string;
}

const GUIDE = 'docs/guides/rolling-restarts.md';

/** Starts HAProxy with the configuration of the guide. */
export async function startHaproxy(site: Site): Promise<Balancer> {
  const file = join(site.folder, 'haproxy.cfg');
  await writeFile(file, await configurationOf('haproxy', site));
  return start('haproxy', ['-db', '-f', file], site.port);
}

/** Starts nginx with the configuration of the guide as its only site. */
export async function startNginx(site: Site): Promise<Balancer> {
  const { folder } = site;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(folder, kind)};`,
  );
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'site.conf'), await configurationOf('nginx', site));
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${join(folder, 'nginx.pid')}; error_log stderr warn; events {}
     http { access_log off; ${temporary.join(' ')} include ${join(folder, 'site.conf')}; }`,
  );
  return start('nginx', ['-c', join(folder, 'nginx.conf')], site.port);
}

/** The block of the guide, word for word but for the addresses. */
async function configurationOf(language: string, { replicas, port }: Site): Promise<string> {
  const guide = await readFile(GUIDE, 'utf8');
  const block = guide.split(`\`\`\`${language}\n`)[1]?.split('```')[0];
  if (block === undefined) throw new Error(`${GUIDE} has no configuration of ${language}`);
  const addresses = ['10.0.0.11:3000', '10.0.0.12:3000', '10.0.0.13:3000'];
  return addresses
    .reduce((text, address, index) => {
      if (!text.includes(address)) throw new Error(`${address} is not in the block of ${language}`);
      return text.replaceAll(address, `127.0.0.1:${replicas[index]}`);
    }, block)
    .replaceAll('10.0.0.10:8080', `127.0.0.1:${port}`);
}

async function start(program: string, args: readonly string[], port: number): Promise<Balancer> {
  const { PATH = '' } = process.env;
  const child = spawn(program, args, {
    env: { PATH: `${PATH}:/usr/sbin:/usr/local/sbin` },
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
  const answers = () =>
    fetch(`${origin}/healthz`, { headers: { Connection: 'close' } }).then(({ ok }) => ok);
  await until(() => failure !== undefined || child.exitCode !== null || answers(), {
    what: `${program} answers; it said: ${output}`,
  });
  if (failure?.code === 'ENOENT') {
    throw new Error(
      `${program} is not installed, and this test needs it: apt-get install -y haproxy nginx-light`,
    );
  }
  if (failure !== undefined || child.exitCode !== null) {
    throw new Error(`${program} did not start: ${failure?.message ?? output}`);
  }
  return { origin, output: () => output, stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

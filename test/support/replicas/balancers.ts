import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { blocksOf } from '../process/guides.js';
import { prepareNginx, startProgram, type Program } from '../process/programs.js';

/** A balancer that runs as a process of its own. */
export type Balancer = Program;

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
  return startProgram('haproxy', ['-db', '-f', file], site.port, answers);
}

/** Starts nginx with the configuration of the guide as its only site. */
export async function startNginx(site: Site): Promise<Balancer> {
  const file = await prepareNginx(site.folder, await configurationOf('nginx', site));
  return startProgram('nginx', ['-c', file], site.port, answers);
}

/** Whether a replica answers through the balancer. */
function answers(origin: string): Promise<boolean> {
  return fetch(`${origin}/healthz`, { headers: { Connection: 'close' } }).then(({ ok }) => ok);
}

/** The block of the guide, word for word but for the addresses. */
async function configurationOf(language: string, { replicas, port }: Site): Promise<string> {
  const [block = ''] = await blocksOf(GUIDE, language);
  const addresses = ['10.0.0.11:3000', '10.0.0.12:3000', '10.0.0.13:3000'];
  return addresses
    .reduce((text, address, index) => {
      if (!text.includes(address)) throw new Error(`${address} is not in the block of ${language}`);
      return text.replaceAll(address, `127.0.0.1:${replicas[index]}`);
    }, block)
    .replaceAll('10.0.0.10:8080', `127.0.0.1:${port}`);
}

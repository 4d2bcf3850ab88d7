import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { blocksOf, replaceAll } from '../process/guides.js';
import { prepareNginx, startProgram, type Program } from '../process/programs.js';
import { startEnvoy, startTraefik } from './simulated.js';

/** The ports that stand for the addresses of the guide. */
export interface GatewaySite {
  readonly port: number;
  readonly gatehouse: number;
  readonly service: number;
  /** For the files of the gateway. */
  readonly folder: string;
}

export const GATEWAYS = {
  nginx: startNginx,
  HAProxy: startHaproxy,
  Caddy: startCaddy,
  Traefik: async (site: GatewaySite) => {
    const [traefik = ''] = await blocksOf(GUIDE, 'yaml');
    return startTraefik(relocateTargets(traefik, site), site.port);
  },
  Envoy: async (site: GatewaySite) => {
    const [, envoy = ''] = await blocksOf(GUIDE, 'yaml');
    const { service } = site;
    const gatehouse = { '10.0.0.11:3000': `127.0.0.1:${site.gatehouse}` };
    return startEnvoy(replaceAll(envoy, gatehouse), `http://127.0.0.1:${service}`, site.port);
  },
} as const;

const GUIDE = 'docs/guides/gateway.md';

async function startNginx(site: GatewaySite): Promise<Program> {
  const [block = ''] = await blocksOf(GUIDE, 'nginx');
  const file = await prepareNginx(join(site.folder, 'nginx'), relocate(block, site));
  return startProgram('nginx', ['-c', file], site.port, answers);
}

async function startHaproxy(site: GatewaySite): Promise<Program> {
  const folder = join(site.folder, 'haproxy');
  await mkdir(folder, { recursive: true });
  const [script = ''] = await blocksOf(GUIDE, 'lua');
  const [block = ''] = await blocksOf(GUIDE, 'haproxy');
  const gatehouse = { '10.0.0.11:3000': `127.0.0.1:${site.gatehouse}` };
  await writeFile(join(folder, 'gatehouse.lua'), replaceAll(script, gatehouse));
  const file = join(folder, 'haproxy.cfg');
  const addresses = {
    '10.0.0.10:8080': `127.0.0.1:${site.port}`,
    '10.0.0.12:9000': `127.0.0.1:${site.service}`,
    '/etc/haproxy': folder,
  };
  await writeFile(file, replaceAll(block, addresses));
  return startProgram('haproxy', ['-db', '-f', file], site.port, answers);
}

async function startCaddy(site: GatewaySite): Promise<Program> {
  const folder = join(site.folder, 'caddy');
  await mkdir(folder, { recursive: true });
  const [block = ''] = await blocksOf(GUIDE, 'caddyfile');
  await writeFile(join(folder, 'site.caddy'), relocate(block, site));
  const file = join(folder, 'Caddyfile');
  // Without the port for administration, and without files in the home directory.
  const options = `admin off\n\tstorage file_system ${folder}`;
  await writeFile(file, `{\n\t${options}\n}\nimport site.caddy\n`);
  return startProgram(
    'caddy',
    ['run', '--config', file, '--adapter', 'caddyfile'],
    site.port,
    answers,
  );
}

/** Whether the gateway answers anything. */
function answers(origin: string): Promise<boolean> {
  return fetch(origin, { headers: { Connection: 'close' } }).then(() => true);
}

function relocate(block: string, site: GatewaySite): string {
  return relocateTargets(replaceAll(block, { '10.0.0.10:8080': `127.0.0.1:${site.port}` }), site);
}

function relocateTargets(block: string, { gatehouse, service }: GatewaySite): string {
  return replaceAll(block, {
    '10.0.0.11:3000': `127.0.0.1:${gatehouse}`,
    '10.0.0.12:9000': `127.0.0.1:${service}`,
  });
}

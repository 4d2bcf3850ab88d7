import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Gauge, type Registry } from 'prom-client';

/** A build is named by the hash of its sources: `.build/<hash>/`, see `launch.mjs`. */
const BUILD = /[\\/]\.build[\\/]([0-9a-f]+)[\\/]/;

/** Shows which release, which build of it and which Node.js serves. */
export function registerBuildInfo(register: Registry): void {
  const file = fileURLToPath(import.meta.url);
  new Gauge({
    name: 'gatehouse_build_info',
    help: 'The release, the hash of its sources and the version of Node.js, as labels; always 1.',
    labelNames: ['version', 'build', 'node'] as const,
    registers: [register],
    aggregator: 'first',
  }).set(
    { version: versionAt(file), build: BUILD.exec(file)?.[1] ?? 'none', node: process.version },
    1,
  );
}

/** The version in the nearest `package.json` above a file. */
function versionAt(file: string): string {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest)) {
      const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version?: string };
      if (version !== undefined) return version;
    }
  }
  return 'unknown';
}

// Writes the guard package, ready for `npm publish`: node .ci/build-guard.mjs [folder]
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = resolve(process.argv[2] ?? join(root, '.build/guard'));

/** The modules that a service imports: the package itself, and one for each kind of framework. */
const ENTRIES = ['index', 'koa', 'express', 'fastify', 'fetch'];

rmSync(folder, { recursive: true, force: true });
const compiler = join(root, 'node_modules/typescript/bin/tsc');
const options = ['-p', join(root, 'src/guard'), '--outDir', folder];
const { status } = spawnSync(process.execPath, [compiler, ...options], { stdio: 'inherit' });
if (status !== 0) process.exit(1);

const { version, license, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const exported = ENTRIES.map((name) => [
  name === 'index' ? '.' : `./${name}`,
  { types: `./${name}.d.ts`, default: `./${name}.js` },
]);
const description = {
  name: '@gatehouse/guard',
  version,
  description: 'Judges the API keys and access tokens that a Node service receives, by Gatehouse',
  license,
  type: 'module',
  engines,
  sideEffects: false,
  exports: Object.fromEntries(exported),
};
writeFileSync(join(folder, 'package.json'), `${JSON.stringify(description, null, 2)}\n`);
cpSync(join(root, 'src/guard/README.md'), join(folder, 'README.md'));
cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));

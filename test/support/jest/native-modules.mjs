// Jest gives each test file a realm of its own and evaluates everything that the file imports again: half of a second for the
// program and its packages, times the number of files. This transformer turns the program's sources, and packages, into
// references to modules that Node itself has loaded in the worker process. They come from the build that server processes
// run, and are evaluated once for all test files of the worker.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';

const require = createRequire(import.meta.url);
const SELF = readFileSync(new URL(import.meta.url), 'utf8');
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

// The `require` that Jest gives a test file is its own. `node:vm` leads to Node's realm, and so to Node's.
globalThis[Symbol.for('gatehouse.require')] = require;
const REQUIRE = `process.getBuiltinModule('node:vm').runInThisContext("globalThis[Symbol.for('gatehouse.require')]")`;

/** The file that Node loads in place of a source; `undefined` in the global setup, which Jest transforms before a build exists. */
function nativePath(path, rootDir) {
  const server = process.env['GATEHOUSE_TEST_SERVER'];
  if (server === undefined) return undefined;
  if (!path.endsWith('.ts')) return path;
  return join(JSON.parse(server).build, relative(rootDir, path).replace(/\.ts$/, '.js'));
}

function reference(target, isModule) {
  const load = `${REQUIRE}(${JSON.stringify(target)})`;
  if (!isModule) return `module.exports = ${load};`;
  const exports = Object.keys(require(target)).map((name, index) => {
    const exported = IDENTIFIER.test(name) ? name : JSON.stringify(name);
    return `const e${index} = m[${JSON.stringify(name)}]; export { e${index} as ${exported} };`;
  });
  return [`const m = ${load};`, ...exports].join('\n');
}

export default {
  process(source, path, { config, supportsStaticESM }) {
    const target = nativePath(path, config.rootDir);
    return { code: target === undefined ? source : reference(target, supportsStaticESM) };
  },
  getCacheKey(source, path, { config, supportsStaticESM }) {
    const parts = [SELF, source, nativePath(path, config.rootDir) ?? '', supportsStaticESM];
    return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
  },
};

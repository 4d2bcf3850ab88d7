// Merges the modules of a build into a few files, because Node.js pays for each module that it loads (decision 39).
import { readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { rolldown } from 'rolldown';

/** Merged beside the sources: packages of many ES modules. Others are loaded from `node_modules`. */
const MERGED_PACKAGES = ['eta', 'jose', 'oauth4webapi', 'oidc-provider', 'openid-client', 'zod'];

/**
 * Writes `bundle/main.js` and `bundle/cli.js`, each with chunks of its own.
 * @param {string} build the absolute folder of the compiled sources
 */
export async function bundle(build) {
  await Promise.all(['main', 'cli'].map((entry) => merge(build, entry)));
}

async function merge(build, entry) {
  const folder = join(build, 'bundle');
  const input = join(build, `src/${entry}.js`);
  const load = (id) => loadCompiled(id, { build, folder, input });
  const merged = await rolldown({
    input,
    platform: 'node',
    external: (id) => /^[@a-z]/i.test(id) && !MERGED_PACKAGES.some((name) => isOf(name, id)),
    plugins: [{ name: 'compiled-sources', load }],
    logLevel: 'warn',
  });
  try {
    await merged.write({
      dir: folder,
      format: 'esm',
      chunkFileNames: `${entry}-[name]-[hash].js`,
      sourcemap: true,
      // TypeORM and oidc-provider read the names of classes.
      keepNames: true,
    });
  } finally {
    await merged.close();
  }
}

function isOf(name, id) {
  return id === name || id.startsWith(`${name}/`);
}

/**
 * Reads a compiled source with its map. `import.meta.url` keeps its value, since sources find files beside themselves.
 * In the entry it is the merged file, which worker processes are started from.
 */
function loadCompiled(id, { build, folder, input }) {
  if (!id.startsWith(build + sep)) return undefined;
  const code = readFileSync(id, 'utf8');
  const map = readFileSync(`${id}.map`, 'utf8');
  if (id === input || !code.includes('import.meta.url')) return { code, map };
  const path = JSON.stringify(relative(folder, id).replaceAll(sep, '/'));
  const url = `new URL(${path}, import.meta.url).href`;
  return { code: code.replaceAll('import.meta.url', url), map };
}

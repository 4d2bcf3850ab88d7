// Builds the sources when they changed, then runs an entry of the build in this same process.
//
//   node src/server/launch.mjs [main | cli | bench | typeorm] [arguments…]
//
// A build lives in `.build/<hash of its sources>/`: it appears whole, by one rename, and is never written again, so that a
// running server keeps the build it started from. There is no extra process between npm and the server, so signals and the
// exit code are the server's own. Everything said here goes to stderr: the command line owns stdout.
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { mkdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const builds = join(root, '.build');
const DAY = 24 * 60 * 60 * 1000;

/** Files that determine a build, beside the folder of the project. */
const SOURCES = [
  'src',
  'migrations',
  'views',
  'ormconfig.ts',
  'tsconfig.json',
  'package-lock.json',
];

const NOT_INSTALLED = 'The dependencies are not installed: run `npm ci` in the project first.';

/** Each entry: the folder whose `tsconfig.json` is compiled, and how the process looks once it runs. */
const ENTRIES = {
  main: { project: 'src', argv: (build, args) => [join(build, 'bundle/main.js'), ...args] },
  cli: { project: 'src', argv: (build, args) => [join(build, 'bundle/cli.js'), ...args] },
  bench: { project: 'bench', argv: (build, args) => [join(build, 'bench/main.js'), ...args] },
  typeorm: { project: 'src', argv: typeormArguments },
};

/** A fault of the operator or of the sources: its message is all there is to say. */
class LaunchError extends Error {}

/**
 * Compiles the project unless a build of exactly these sources exists.
 * @param {string} [project] the folder whose tsconfig.json says what is compiled
 * @returns {Promise<string>} the absolute folder of the build
 * @throws {LaunchError} when dependencies are missing or the sources do not compile
 */
export async function build(project = 'src') {
  for (;;) {
    const hash = hashSources(project);
    const folder = join(builds, hash);
    if (existsSync(folder) || (await compile(project, hash))) {
      touch(folder);
      return folder;
    }
  }
}

function hashSources(project) {
  const hash = createHash('sha256').update(project);
  for (const file of [...new Set([...SOURCES, project])].flatMap(listFiles)) {
    const content = readFileSync(join(root, file));
    hash.update(`\0${file}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex').slice(0, 16);
}

function listFiles(path) {
  const stat = statSync(join(root, path), { throwIfNoEntry: false });
  if (stat === undefined) return [];
  return stat.isDirectory() ? listFolder(path) : [path];
}

function listFolder(path) {
  const entries = readdirSync(join(root, path), { withFileTypes: true });
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const inner = `${path}/${entry.name}`;
      return entry.isFile() ? [inner] : listFiles(inner);
    });
}

/** Returns false if the sources were altered meanwhile: the result may be of neither state, so it is not kept. */
async function compile(project, hash) {
  process.stderr.write('Building…\n');
  // Beside the final place, at the same depth, so that the rename is atomic and source maps keep pointing at the sources.
  const temporary = join(builds, `tmp-${Date.now()}-${randomBytes(4).toString('hex')}`);
  mkdirSync(temporary, { recursive: true });
  try {
    const code = await runCompiler(['-p', `${project}/tsconfig.json`, '--outDir', temporary]);
    if (code !== 0) throw new LaunchError('The sources do not compile.');
    // Templates and the built-in catalogue are found in a build where they are among the sources.
    for (const file of ['views', 'src/scopes/buildworkpro.json']) {
      cpSync(join(root, file), join(temporary, file), { recursive: true });
    }
    const { bundle } = await import('./bundle.mjs');
    await bundle(temporary);
    if (hashSources(project) !== hash) return false;
    renameSync(temporary, join(builds, hash));
    removeOldBuilds(hash);
    return true;
  } catch (error) {
    // Another builder of the same sources was faster; its build is as good as this one.
    if (['ENOTEMPTY', 'EEXIST'].includes(error.code)) return true;
    throw error;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function runCompiler(args) {
  const folder = join(root, 'node_modules/typescript');
  for (const tool of [folder, join(root, 'node_modules/rolldown')]) {
    if (!existsSync(tool)) throw new LaunchError(NOT_INSTALLED);
  }
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return new Promise((resolve, reject) => {
    // The compiler reports on stdout, which is not ours to write to: its output goes to stderr (file descriptor 2).
    const stdio = ['ignore', 2, 2];
    const tsc = spawn(process.execPath, [join(folder, bin.tsc), ...args], { cwd: root, stdio });
    tsc.once('error', reject).once('exit', resolve);
  });
}

/** Removes what no process can be expected to need: neither used within a day nor among the three used last. */
function removeOldBuilds(current) {
  const lastUse = (name) => statSync(join(builds, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const others = readdirSync(builds)
    .filter((name) => /^([0-9a-f]{16}|tmp-.*)$/.test(name) && name !== current)
    .sort((a, b) => lastUse(b) - lastUse(a));
  for (const name of others.slice(2)) {
    if (Date.now() - lastUse(name) < DAY) continue;
    rmSync(join(builds, name), { recursive: true, force: true });
  }
}

/** Marks a build as used now. A user who may run a build need not be allowed to write to it. */
function touch(folder) {
  try {
    utimesSync(folder, new Date(), new Date());
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes(error.code)) throw error;
  }
}

function typeormArguments(build, args) {
  // TypeORM refuses options that a command doesn't know; these work without a data source.
  const withoutDataSource = /^(version|init|\w+:create)$/.test(args[0] ?? 'version');
  const dataSource = withoutDataSource ? [] : ['-d', join(build, 'ormconfig.js')];
  return [join(root, 'node_modules/typeorm/cli.js'), ...args, ...dataSource];
}

async function launch(name, args) {
  const entry = name === undefined ? { project: 'src' } : ENTRIES[name];
  if (entry === undefined) throw new LaunchError(`There is no entry "${name}".`);
  if (!existsSync(join(root, 'node_modules'))) throw new LaunchError(NOT_INSTALLED);
  const folder = await build(entry.project);
  if (entry.argv === undefined) return;
  process.argv = [process.execPath, ...entry.argv(folder, args)];
  await import(pathToFileURL(process.argv[1]).href);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [name, ...args] = process.argv.slice(2);
  await launch(name, args).catch((error) => {
    if (!(error instanceof LaunchError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
}

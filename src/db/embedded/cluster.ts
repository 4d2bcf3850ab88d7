import { randomBytes } from 'node:crypto';
import { chmod, chown, lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartupError } from '../startup-error.js';
import type { Binaries } from './binaries.js';
import { errorCode } from '../errors.js';
import { removeLeftovers, syncFolder } from '../files.js';
import { runProgram, type Account } from './run-program.js';

/** The superuser that `initdb` makes. Only the set-up and the locks use it, never the application. */
export const SUPERUSER = 'postgres';

/**
 * A cluster on disk and what it is run with. `home` is ours: it holds the log, the socket's folder and `data`, which is
 * the account's (PostgreSQL's own "data directory").
 */
export interface Cluster {
  readonly id: string;
  readonly home: string;
  readonly data: string;
  readonly superuserPassword: string;
  readonly account: Account | undefined;
  readonly binaries: Binaries;
  /** Settings for this run only, as PostgreSQL names them. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Where PostgreSQL keeps its own files below a home. */
export function dataFolderOf(home: string): string {
  return join(home, 'data');
}

/** Makes the home: private to us, except that the account may pass through to what is its own. */
export async function prepareHome(home: string, account: Account | undefined): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  if (account) await chown(home, 0, account.gid);
  await chmod(home, account ? 0o710 : 0o700);
}

/**
 * Makes a folder, if it isn't there, that the account alone can enter. Only for paths where nobody else could have put
 * something before: it follows links.
 */
export async function makePrivateFolder(path: string, account: Account | undefined): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  if (account) await chown(path, account.uid, account.gid);
  await chmod(path, 0o700);
}

/**
 * Makes a folder that we alone can enter where anybody may put something, as in `/tmp`. What is there already is left as it
 * is, and never followed if it is a link.
 *
 * @returns whether the folder is there and only ours
 */
export async function makeFolderAmongStrangers(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
  const found = await lstat(path);
  return found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o077) === 0;
}

/**
 * The major version of the cluster in a folder; `undefined` if there is none.
 *
 * @throws StartupError when the folder can't be read.
 */
export async function readMajor(data: string): Promise<string | undefined> {
  try {
    return (await readFile(join(data, 'PG_VERSION'), 'utf8')).trim();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new StartupError(`The database cluster ${data} cannot be read.`, { cause: error });
  }
}

/**
 * Makes the cluster, unless it is there. It appears by one rename, so that a kill leaves no half of it, and of two
 * processes that start at the same time one makes it and the other finds it.
 *
 * @throws StartupError when `initdb` fails, with what it said.
 */
export async function initializeCluster(
  cluster: Cluster,
  { durable }: { durable: boolean },
): Promise<void> {
  await removeLeftovers(cluster.home, 'initdb-');
  if ((await readMajor(cluster.data)) !== undefined) return;
  const temporary = join(cluster.home, `initdb-${randomBytes(6).toString('hex')}`);
  const passwordFile = `${temporary}.password`;
  try {
    await makePrivateFolder(temporary, cluster.account);
    await writeFile(passwordFile, cluster.superuserPassword, { mode: 0o600, flag: 'wx' });
    if (cluster.account) await chown(passwordFile, cluster.account.uid, cluster.account.gid);
    await runInitdb(cluster, [
      '-D',
      temporary,
      `--pwfile=${passwordFile}`,
      ...(durable ? [] : ['--no-sync']),
    ]);
    await rename(temporary, cluster.data);
    await syncFolder(cluster.home);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes(errorCode(error) ?? '')) throw error;
  } finally {
    await rm(passwordFile, { force: true });
    await rm(temporary, { recursive: true, force: true });
  }
}

async function runInitdb({ binaries, account }: Cluster, args: string[]): Promise<void> {
  const { code, output, error } = await runProgram({
    file: join(binaries.folder, 'bin/initdb'),
    args: [
      ...args,
      `--username=${SUPERUSER}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--no-instructions',
      // PostgreSQL's own collation: the same order on every machine, whatever locales the system has.
      '--no-locale',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
    ],
    account,
  });
  if (code === 0) return;
  const reason = error?.message ?? output.split('\n').find((line) => line.includes('error:'));
  throw new StartupError(`PostgreSQL's initdb failed (${reason ?? output}).`, { cause: error });
}

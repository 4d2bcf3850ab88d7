import { randomBytes } from 'node:crypto';
import { chmod, chown, lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartupError } from '../startup-error.js';
import type { Binaries } from './binaries.js';
import { errorCode } from '../errors.js';
import { removeLeftovers, syncFolder } from '../files.js';
import { runProgram, type Account } from './run-program.js';

/** The superuser that `initdb` creates. The set-up and the locks use it; the application does not. */
export const SUPERUSER = 'postgres';

/**
 * A cluster on disk and its settings. `home` belongs to this process: it holds the log, the socket's folder and
 * `data`, which belongs to the account (PostgreSQL's "data directory").
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

/** The folder of PostgreSQL's own files below a home. */
export function dataFolderOf(home: string): string {
  return join(home, 'data');
}

/** Creates the home: private, except that the account may traverse it to its own folder. */
export async function prepareHome(home: string, account: Account | undefined): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  if (account) await chown(home, 0, account.gid);
  await chmod(home, account ? 0o710 : 0o700);
}

/**
 * Creates a folder that only the account can enter, unless it exists. It follows links, so it is for paths below
 * a private folder only.
 */
export async function makePrivateFolder(path: string, account: Account | undefined): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  if (account) await chown(path, account.uid, account.gid);
  await chmod(path, 0o700);
}

/**
 * Creates a private folder in a folder that anybody can write to, such as `/tmp`. An existing file, folder or
 * link is left unchanged and not followed.
 *
 * @returns whether the folder exists and is private to this account
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
 * Creates the cluster, unless it exists. It appears by one rename, so a killed process leaves no partial cluster.
 * If two processes start at the same time, one creates it and the other finds it.
 *
 * @throws StartupError with the message of `initdb` if it fails
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
      // PostgreSQL's own collation gives the same order on every machine, whatever locales it has.
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

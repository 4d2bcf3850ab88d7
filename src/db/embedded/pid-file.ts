import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { errorCode } from '../errors.js';
import { isSocket, socketPath, type Endpoint } from './endpoint.js';

/** The facts that a postmaster writes to the pid file in its data folder. */
export interface Postmaster {
  readonly pid: number;
  readonly endpoint: Endpoint;
  readonly ready: boolean;
}

interface PidFile extends Postmaster {
  readonly dataFolder: string;
}

/** Finds the postmaster that runs on a data folder. The process is checked too, since a pid file may be stale. */
export async function findPostmaster(data: string): Promise<Postmaster | undefined> {
  const file = await readPidFile(pidFilePath(data));
  return file && (await isPostmaster(file)) ? file : undefined;
}

/**
 * Removes the pid file and the socket's lock file of a postmaster that is gone. PostgreSQL does so itself unless
 * the pid now belongs to another process of its account. The caller has checked that no postmaster runs.
 */
export async function removeStalePidFile(data: string): Promise<void> {
  const path = pidFilePath(data);
  const stale = await readPidFile(path);
  if (!stale || !processExists(stale.pid)) return;
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  await rename(path, aside).catch(() => undefined);
  // Another process may have started a postmaster meanwhile: restore its file.
  const taken = await readPidFile(aside);
  if (taken && (await isPostmaster(taken))) await link(aside, path).catch(() => undefined);
  else if (isSocket(stale.endpoint))
    await rm(`${socketPath(stale.endpoint)}.lock`, { force: true });
  await rm(aside, { force: true });
}

function pidFilePath(data: string): string {
  return join(data, 'postmaster.pid');
}

async function readPidFile(path: string): Promise<PidFile | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  // One item a line (PostgreSQL, src/include/utils/pidfile.h); the last ones appear when it is about to be ready.
  const lines = text.split('\n').map((line) => line.trim());
  const [pid, dataFolder, , port, socketFolder, address, , status] = lines;
  if (!dataFolder || !Number.isInteger(Number(pid)) || Number(pid) <= 1) return undefined;
  const endpoint = { host: socketFolder || address || '', port: Number(port) };
  return { pid: Number(pid), dataFolder, endpoint, ready: status === 'ready' };
}

async function isPostmaster({ pid, dataFolder }: PidFile): Promise<boolean> {
  const words = await readCommandLine(pid);
  return basename(words[0] ?? '') === 'postgres' && words.includes(dataFolder);
}

/** The words of a process's command line; empty if there is no such process or it is a zombie. */
async function readCommandLine(pid: number): Promise<string[]> {
  if (process.platform === 'linux') {
    const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return text.split('\0');
  }
  const { stdout } = await promisify(execFile)('/bin/ps', ['-ww', '-o', 'command=', '-p', `${pid}`])
    // `ps` fails if there is no such process.
    .catch(() => ({ stdout: '' }));
  // `ps` writes no quotes, so a path with spaces can only be found as a part of the text.
  const [program = '', rest = ''] = splitOnce(stdout.trim(), ' -D ');
  return [program, splitOnce(rest, ' -c ')[0] ?? ''];
}

function splitOnce(text: string, separator: string): string[] {
  const index = text.indexOf(separator);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + separator.length)];
}

function processExists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) !== 'ESRCH';
  }
}

import { randomBytes } from 'node:crypto';
import { link, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { errorCode } from './errors.js';

const LEFTOVER_AGE_MS = 10 * 60 * 1000;

/** Writes a file with mode 0600 atomically and durably. An existing file is replaced. */
export async function replaceFile(path: string, content: string): Promise<void> {
  await writeThenName(path, content, rename);
}

/**
 * As `replaceFile`, for a file that must not exist yet.
 *
 * @returns false if the file exists; it is left unchanged
 */
export async function createFile(path: string, content: string): Promise<boolean> {
  try {
    await writeThenName(path, content, link);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function writeThenName(
  path: string,
  content: string,
  name: (from: string, to: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    await file.writeFile(content);
    await file.sync();
    await file.close();
    await name(temporary, path);
    await syncFolder(dirname(path));
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Makes renames and new files in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}

/** Removes temporary files of killed processes. Young ones are kept, since their process may be running. */
export async function removeLeftovers(folder: string, prefix: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(prefix)) continue;
    const path = join(folder, name);
    const age = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now());
    if (age > LEFTOVER_AGE_MS) await rm(path, { recursive: true, force: true });
  }
}

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { StartupError } from '../startup-error.js';
import { isRoot } from './account.js';
import { errorCode } from '../errors.js';
import { createFile, replaceFile } from '../files.js';
import { SYSTEM_FOLDER } from './system-folder.js';

/** The file in DATA_DIR that says which cluster belongs to it, and with which passwords. */
export const RECORD_FILE = 'postgresql.json';

const recordSchema = z.object({
  /** Names what lies outside DATA_DIR: root's cluster, a socket folder. */
  id: z.string().regex(/^[0-9a-f]{16}$/),
  /** The folder of the cluster. Relative inside DATA_DIR, so that DATA_DIR can be moved. */
  home: z.string(),
  superuserPassword: z.string(),
  password: z.string(),
  /** Whether the cluster was made, with its role and database: from then on it must never be made anew. */
  complete: z.boolean(),
});

/** What DATA_DIR remembers of its cluster. */
export type ClusterRecord = Readonly<z.infer<typeof recordSchema>>;

/**
 * Reads the record of a data directory, or makes one. Of two processes that start at the same time, both get the same.
 *
 * @throws StartupError when it is there and can't be read.
 */
export async function readOrCreateRecord(dataDir: string): Promise<ClusterRecord> {
  const path = join(dataDir, RECORD_FILE);
  const found = await readRecord(path);
  if (found) return found;
  const id = randomBytes(8).toString('hex');
  const record: ClusterRecord = {
    id,
    // An account that may not enter DATA_DIR must reach the cluster of root.
    home: isRoot() ? join(SYSTEM_FOLDER, id) : 'postgresql',
    superuserPassword: randomBytes(24).toString('hex'),
    password: randomBytes(24).toString('hex'),
    complete: false,
  };
  if (await createFile(path, serialize(record))) return record;
  return readOrCreateRecord(dataDir);
}

/** Notes that the cluster is complete. */
export async function completeRecord(dataDir: string, record: ClusterRecord): Promise<void> {
  await replaceFile(join(dataDir, RECORD_FILE), serialize({ ...record, complete: true }));
}

/**
 * Whether there is a complete installation in a data directory. Nothing is made.
 * @throws StartupError when its record is there and can't be read.
 */
export async function isInstalled(dataDir: string): Promise<boolean> {
  return (await readRecord(join(dataDir, RECORD_FILE)))?.complete === true;
}

/** The absolute folder of the record's cluster. */
export function homeOf(dataDir: string, record: ClusterRecord): string {
  return resolve(dataDir, record.home);
}

async function readRecord(path: string): Promise<ClusterRecord | undefined> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) return undefined;
    throw new StartupError(
      `The file ${path} cannot be read or is not Gatehouse's: restore it from a backup.`,
      { cause: error },
    );
  }
}

function serialize(record: ClusterRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}

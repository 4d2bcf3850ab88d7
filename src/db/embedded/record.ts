import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { StartupError } from '../startup-error.js';
import { isRoot } from './account.js';
import { errorCode } from '../errors.js';
import { createFile, replaceFile } from '../files.js';
import { SYSTEM_FOLDER } from './system-folder.js';

/** The file in DATA_DIR that records its cluster and the passwords. */
export const RECORD_FILE = 'postgresql.json';

const recordSchema = z.object({
  /** Names folders outside DATA_DIR: root's cluster, a socket folder. */
  id: z.string().regex(/^[0-9a-f]{16}$/),
  /** The folder of the cluster. Relative inside DATA_DIR, so that DATA_DIR can be moved. */
  home: z.string(),
  superuserPassword: z.string(),
  password: z.string(),
  /** Whether the cluster, its role and its database were created. A complete cluster is never created again. */
  complete: z.boolean(),
});

/** The record of the cluster in DATA_DIR. */
export type ClusterRecord = Readonly<z.infer<typeof recordSchema>>;

/**
 * Reads the record of a data directory, or creates it. Two processes that start at the same time get the same.
 *
 * @throws StartupError if it exists and cannot be read
 */
export async function readOrCreateRecord(dataDir: string): Promise<ClusterRecord> {
  const path = join(dataDir, RECORD_FILE);
  const found = await readRecord(path);
  if (found) return found;
  const id = randomBytes(8).toString('hex');
  const record: ClusterRecord = {
    id,
    // The account of PostgreSQL may be unable to enter the DATA_DIR of root.
    home: isRoot() ? join(SYSTEM_FOLDER, id) : 'postgresql',
    superuserPassword: randomBytes(24).toString('hex'),
    password: randomBytes(24).toString('hex'),
    complete: false,
  };
  if (await createFile(path, serialize(record))) return record;
  return readOrCreateRecord(dataDir);
}

/** Records that the cluster is complete. */
export async function completeRecord(dataDir: string, record: ClusterRecord): Promise<void> {
  await replaceFile(join(dataDir, RECORD_FILE), serialize({ ...record, complete: true }));
}

/**
 * Whether a data directory holds a complete installation. Creates nothing.
 * @throws StartupError if its record exists and cannot be read
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

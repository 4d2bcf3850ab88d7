import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { errorCode } from '../db/errors.js';
import { createFile } from '../db/files.js';

const NAME = 'secret-keys';

/**
 * The `SECRET_KEYS` of a server that was given none: made once and kept in its data directory,
 * readable by its owner only.
 *
 * @param dataDir `DATA_DIR`, which exists
 */
export async function readOrCreateSecretKeys(dataDir: string): Promise<readonly string[]> {
  const file = path.join(dataDir, NAME);
  const existing = await read(file);
  if (existing !== undefined) return existing;
  // Of two that start at once, both use the keys of the one that was first.
  await createFile(file, `${randomBytes(32).toString('base64url')}\n`);
  return (await read(file)) ?? [];
}

async function read(file: string): Promise<readonly string[] | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim().split(',');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

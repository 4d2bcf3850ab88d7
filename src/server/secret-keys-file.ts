import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { errorCode, errorMessage } from '../db/errors.js';
import { createFile } from '../db/files.js';
import { StartupError } from '../db/startup-error.js';

const NAME = 'secret-keys';
const LEAST_LENGTH = 32;

/**
 * Reads the generated `SECRET_KEYS` of a server without configured ones, or generates them. They are in a file in the
 * data directory that only its owner can read.
 *
 * @param dataDir `DATA_DIR`, which must exist
 * @throws StartupError if the file exists and does not hold acceptable keys
 */
export async function readOrCreateSecretKeys(dataDir: string): Promise<readonly string[]> {
  const file = path.join(dataDir, NAME);
  const existing = await read(file);
  if (existing !== undefined) return existing;
  const key = randomBytes(32).toString('base64url');
  if (await createFile(file, `${key}\n`)) return [key];
  // Another process that started at the same time has created the file.
  return readOrCreateSecretKeys(dataDir);
}

async function read(file: string): Promise<readonly string[] | undefined> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new StartupError(`The file ${file} cannot be read: ${errorMessage(error)}.`, {
      cause: error,
    });
  }
  const keys = content.split(',').flatMap((key) => key.trim() || []);
  // The requirements of `SECRET_KEYS`. An empty file must not become an empty key.
  const areGood =
    keys.length > 0 &&
    keys.every((key) => key.length >= LEAST_LENGTH) &&
    new Set(keys).size === keys.length;
  if (areGood) return keys;
  throw new StartupError(
    `The file ${file} must hold different keys of at least ${LEAST_LENGTH} characters each, separated by commas: restore it from a backup.`,
  );
}

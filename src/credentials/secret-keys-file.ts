import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

const NAME = 'secret-keys';

/**
 * The `SECRET_KEYS` of a server that was given none: made once and kept in its data directory,
 * readable by its owner only.
 *
 * @param dataDir `DATA_DIR`
 */
export async function readOrCreateSecretKeys(dataDir: string): Promise<readonly string[]> {
  const file = path.join(dataDir, NAME);
  const existing = await read(file);
  if (existing !== undefined) return existing;

  // Linked into place when it is complete: of two that start at once, both use the same keys.
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const temporary = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(temporary, `${randomBytes(32).toString('base64url')}\n`, {
    mode: 0o600,
    flush: true,
  });
  try {
    await link(temporary, file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await rm(temporary);
  }
  return (await read(file)) ?? [];
}

async function read(file: string): Promise<readonly string[] | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim().split(',');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

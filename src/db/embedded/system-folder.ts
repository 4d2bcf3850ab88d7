import { chmod, lstat, mkdir } from 'node:fs/promises';
import { StartupError } from '../startup-error.js';

/**
 * Holds the clusters of root and, if necessary, a copy of the binaries. An unprivileged account must reach them,
 * and the project and DATA_DIR may lie below a folder that only root can enter.
 */
export const SYSTEM_FOLDER = '/var/lib/gatehouse';

/**
 * Creates the system folder, traversable by all accounts and writable by root only.
 *
 * @throws StartupError if it cannot be created, or another account could write to it
 */
export async function prepareSystemFolder(): Promise<void> {
  try {
    await mkdir(SYSTEM_FOLDER, { recursive: true });
    await assertRootOnly(SYSTEM_FOLDER);
    await chmod(SYSTEM_FOLDER, 0o755);
  } catch (error) {
    if (error instanceof StartupError) throw error;
    throw new StartupError(
      `As root, Gatehouse keeps its database in ${SYSTEM_FOLDER}, which cannot be written: ` +
        'run it as an ordinary user or set DATABASE_URL.',
      { cause: error },
    );
  }
}

/** @throws StartupError unless the path is a folder that belongs to root and that nobody else can write to */
export async function assertRootOnly(path: string): Promise<void> {
  const stat = await lstat(path);
  if (stat.isDirectory() && stat.uid === 0 && (stat.mode & 0o022) === 0) return;
  throw new StartupError(
    `${path} must be a folder that belongs to root and that nobody else can write to.`,
  );
}

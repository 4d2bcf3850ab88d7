import { chmod, lstat, mkdir } from 'node:fs/promises';
import { StartupError } from '../startup-error.js';

/**
 * Where root keeps what an unprivileged account must reach: the clusters and, if need be, a copy of the binaries. The
 * project and DATA_DIR may well lie below a folder that only root can enter.
 */
export const SYSTEM_FOLDER = '/var/lib/gatehouse';

/**
 * Makes the system folder, traversable by all and writable by root alone.
 *
 * @throws StartupError when it can't be made, or somebody else could write to it.
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

/** @throws StartupError unless the path is root's own folder, which nobody else can write to. */
export async function assertRootOnly(path: string): Promise<void> {
  const stat = await lstat(path);
  if (stat.isDirectory() && stat.uid === 0 && (stat.mode & 0o022) === 0) return;
  throw new StartupError(
    `${path} must be a folder that belongs to root and that nobody else can write to.`,
  );
}

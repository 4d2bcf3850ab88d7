import { chmod, mkdir, readdir, realpath, stat } from 'node:fs/promises';
import { StartupError } from '../startup-error.js';
import { errorCode, errorMessage } from '../errors.js';
import { RECORD_FILE } from './record.js';

/**
 * Creates DATA_DIR, private to this account, unless it exists.
 *
 * @returns its real path
 * @throws StartupError if the path is not a folder, belongs to another account, or holds other files
 */
export async function prepareDataDir(dataDir: string): Promise<string> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await assertOurs(dataDir);
    return await realpath(dataDir);
  } catch (error) {
    if (error instanceof StartupError) throw error;
    if (errorCode(error) === 'EEXIST' || errorCode(error) === 'ENOTDIR') {
      throw new StartupError(`The data directory ${dataDir} is not a directory.`);
    }
    throw new StartupError(
      `The data directory ${dataDir} cannot be used: ${errorMessage(error)}.`,
      {
        cause: error,
      },
    );
  }
}

async function assertOurs(dataDir: string): Promise<void> {
  const { uid, mode } = await stat(dataDir);
  const ownUid = process.getuid?.();
  if (uid !== ownUid) {
    throw new StartupError(
      `The data directory ${dataDir} belongs to user id ${uid}, but Gatehouse runs as ${ownUid}: ` +
        'run it as the same user, or give it another DATA_DIR.',
    );
  }
  if ((mode & 0o077) === 0) return;
  // Change the mode of Gatehouse's own folder only, not of somebody's home after a mistyped DATA_DIR.
  const names = (await readdir(dataDir)).filter((name) => name !== 'lost+found');
  if (names.length > 0 && !names.includes(RECORD_FILE)) {
    throw new StartupError(
      `The data directory ${dataDir} holds files that are not Gatehouse's: give DATA_DIR a new or empty folder.`,
    );
  }
  await chmod(dataDir, 0o700);
}

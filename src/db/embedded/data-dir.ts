import { chmod, mkdir, readdir, realpath, stat } from 'node:fs/promises';
import { StartupError } from '../startup-error.js';
import { errorCode, errorMessage } from '../errors.js';
import { RECORD_FILE } from './record.js';

/**
 * Makes DATA_DIR if it isn't there, private to our account, and hands back its real path.
 *
 * @throws StartupError when the path is something else's: not a folder, another account's, or one with other files in it.
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
  // Closing a folder of ours is right; closing somebody's home because of a slip in DATA_DIR is not.
  const names = (await readdir(dataDir)).filter((name) => name !== 'lost+found');
  if (names.length > 0 && !names.includes(RECORD_FILE)) {
    throw new StartupError(
      `The data directory ${dataDir} holds files that are not Gatehouse's: give DATA_DIR a new or empty folder.`,
    );
  }
  await chmod(dataDir, 0o700);
}

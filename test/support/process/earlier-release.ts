import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The program as it was released, built from the project's history. */
export interface EarlierRelease {
  /** The file that starts its server. */
  readonly main: string;
  remove(): Promise<void>;
}

/** @param commit the one that it was released from */
export async function buildEarlierRelease(commit: string): Promise<EarlierRelease> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-release-'));
  const archive = join(folder, 'sources.tar');
  await run('git', ['archive', '--output', archive, commit]);
  await run('tar', ['-xf', archive, '-C', folder]);
  await symlink(resolve('node_modules'), join(folder, 'node_modules'));
  await run(process.execPath, [join(folder, 'src/launch.mjs')], { cwd: folder });
  const [hash = ''] = await readdir(join(folder, '.build'));
  return {
    main: join(folder, '.build', hash, 'src/main.js'),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

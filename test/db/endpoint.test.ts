import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmod, chown, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { findBinaries } from '../../src/db/embedded/binaries.js';
import { makeFolderAmongStrangers } from '../../src/db/embedded/cluster.js';
import { chooseEndpoint } from '../../src/db/embedded/endpoint.js';
import type { Account } from '../../src/db/embedded/run-program.js';

const isRoot = process.getuid?.() === 0;

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-endpoint-'));
  path = join(folder, 'socket');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const modeOf = async (file: string) => (await stat(file)).mode & 0o777;

describe('a folder that others may write to', () => {
  it('is created for its owner only, and reused', async () => {
    expect(await makeFolderAmongStrangers(path)).toBe(true);
    expect(await modeOf(path)).toBe(0o700);
    expect(await makeFolderAmongStrangers(path)).toBe(true);
  });

  it('is not used through a link, whose target stays unchanged', async () => {
    const target = join(folder, 'target');
    await mkdir(target, { mode: 0o755 });
    await symlink(target, path);

    expect(await makeFolderAmongStrangers(path)).toBe(false);
    expect(await modeOf(target)).toBe(0o755);
  });

  it('is not used if it is a file or open to others', async () => {
    await writeFile(path, '', { mode: 0o600 });
    expect(await makeFolderAmongStrangers(path)).toBe(false);
    await rm(path);
    await mkdir(path);
    await chmod(path, 0o770);
    expect(await makeFolderAmongStrangers(path)).toBe(false);
    expect(await modeOf(path)).toBe(0o770);
  });

  it('is not used if another account owns it', async () => {
    await mkdir(path, { mode: 0o700 });
    // Only root can give a folder away; to anybody else, root's home is another's.
    if (isRoot) await chown(path, 12_345, 12_345);
    expect(await makeFolderAmongStrangers(isRoot ? path : '/root')).toBe(false);
  });
});

describe('the address of PostgreSQL when its path is too long for a socket', () => {
  const id = 'test0123456789ab';
  const inTemporary = join(tmpdir(), `gatehouse-${id}`);
  afterEach(() => rm(inTemporary, { recursive: true, force: true }));

  const choose = async (account: Account | undefined) => {
    const home = join(folder, 'x'.repeat(100));
    const binaries = await findBinaries();
    const data = join(home, 'data');
    return chooseEndpoint({
      id,
      home,
      data,
      account,
      binaries,
      superuserPassword: '',
      settings: {},
    });
  };

  it('is an own folder below the temporary one', async () => {
    expect((await choose(undefined)).host).toBe(inTemporary);
    expect(await modeOf(inTemporary)).toBe(0o700);
  });

  it('is loopback if a link is in its place', async () => {
    await mkdir(path, { mode: 0o755 });
    await symlink(path, inTemporary);

    expect((await choose(undefined)).host).toBe('127.0.0.1');
    expect(await modeOf(path)).toBe(0o755);
  });

  it('is loopback for another account, to which no folder is handed over', async () => {
    expect((await choose({ uid: 12_345, gid: 12_345 })).host).toBe('127.0.0.1');
    await expect(stat(inTemporary)).rejects.toThrow('ENOENT');
  });
});

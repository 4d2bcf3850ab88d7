import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { readConfig } from '../../src/config.js';

const KEY = 'a secret key of at least 32 characters';
const OTHER = 'another secret key that is no shorter';
const URL = 'postgres://user:hunter2@db.example.com/gatehouse';

describe('secrets by file', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-secrets-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function file(content: string | Uint8Array): Promise<string> {
    const path = join(folder, `secret-${Math.random()}`);
    await writeFile(path, content);
    return path;
  }

  function faultOf(env: Record<string, string>): string {
    try {
      readConfig(env, folder);
    } catch (error) {
      return (error as Error).message;
    }
    return 'none';
  }

  it('are read for every secret setting, without a trailing newline', async () => {
    const config = readConfig(
      {
        NODE_ENV: 'production',
        ISSUER: 'https://auth.example.com',
        DATABASE_URL_FILE: await file(`${URL}\n`),
        SECRET_KEYS_FILE: await file(`${KEY},${OTHER}\r\n`),
        ADMIN_PASSWORD_FILE: await file('correct horse \n\n'),
      },
      folder,
    );

    expect(config).toMatchObject({
      DATABASE_URL: URL,
      SECRET_KEYS: [KEY, OTHER],
      ADMIN_PASSWORD: 'correct horse ',
    });
    expect(Object.keys(config).filter((name) => name.endsWith('_FILE'))).toEqual([]);
  });

  it('may contain one secret key per line, and a byte order mark', async () => {
    const SECRET_KEYS_FILE = await file(`\uFEFF${KEY}\n${OTHER}\n`);
    expect(readConfig({ SECRET_KEYS_FILE }, folder).SECRET_KEYS).toEqual([KEY, OTHER]);
  });

  it('may be a relative path, a link or a pipe, with mode 0400', async () => {
    await writeFile(join(folder, 'keys'), KEY);
    await chmod(join(folder, 'keys'), 0o400);
    await symlink('keys', join(folder, 'link'));
    expect(readConfig({ SECRET_KEYS_FILE: 'link' }, folder).SECRET_KEYS).toEqual([KEY]);

    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    // Reading blocks until another process has written.
    const writer = spawn('sh', ['-c', 'printf %s "$0" > "$1"', KEY, fifo]);
    expect(readConfig({ SECRET_KEYS_FILE: fifo }, folder).SECRET_KEYS).toEqual([KEY]);
    await once(writer, 'close');
  });

  it('count as unset where the variable is empty', () => {
    const config = readConfig({ SECRET_KEYS_FILE: '', DATABASE_URL_FILE: '' }, folder);
    expect(config).toEqual(readConfig({}, folder));
    expect(faultOf({ SECRET_KEYS: KEY, SECRET_KEYS_FILE: '' })).toBe('none');
  });

  it.each(['DATABASE_URL', 'SECRET_KEYS', 'ADMIN_PASSWORD'])(
    'are refused for %s if the variable is set too',
    async (name) => {
      const value = { DATABASE_URL: URL, SECRET_KEYS: KEY, ADMIN_PASSWORD: 'correct horse' }[name];
      const env = { SECRET_KEYS: KEY, [name]: value ?? '', [`${name}_FILE`]: await file('x') };
      expect(faultOf(env)).toBe(
        `Cannot start, the configuration has faults: ${name} and ${name}_FILE are both set, only one of them may be.`,
      );
    },
  );

  it.each([
    ['does not exist', async () => join(folder, 'nowhere')],
    ['is a folder', async () => folder],
    ['is below a file', async () => join(await file(KEY), 'key')],
    ['is empty', () => file('')],
    ['holds newlines only', () => file('\r\n\n')],
    ['is not text', () => file(Buffer.alloc(40, 0xff))],
    ['never ends', async () => '/dev/zero'],
    ['is a loop of links', async () => makeLoop()],
  ])('fail in one sentence if the file %s', async (_case, make) => {
    for (const name of ['SECRET_KEYS', 'DATABASE_URL', 'ADMIN_PASSWORD']) {
      const path = await make();
      const fault = faultOf({
        ...(name !== 'SECRET_KEYS' && { SECRET_KEYS: KEY }),
        [`${name}_FILE`]: path,
      });
      // No fault about SECRET_KEYS, which DATABASE_URL requires: they are set.
      expect(fault).toMatch(
        new RegExp(`^Cannot start, the configuration has faults: ${name}_FILE names [^;\\n]+[.]$`),
      );
      expect(fault).not.toContain(path);
    }
  });

  it('name the file setting for an invalid value, and never show the value', async () => {
    const fault = faultOf({
      NODE_ENV: 'production',
      ISSUER: 'https://auth.example.com',
      SECRET_KEYS_FILE: await file('hunter2'),
      DATABASE_URL_FILE: await file('mysql://user:hunter2@db.example.com'),
      ADMIN_PASSWORD_FILE: await file('hunter2\nhunter3'),
    });
    expect(fault).toContain('SECRET_KEYS (from SECRET_KEYS_FILE) must be keys of at least');
    expect(fault).toContain('DATABASE_URL (from DATABASE_URL_FILE) must be a postgres:// URL');
    expect(fault).toContain('ADMIN_PASSWORD_FILE names a file of more than one line');
    expect(fault).not.toContain('hunter');
    expect(fault).not.toContain('is required');
  });

  async function makeLoop(): Promise<string> {
    const loop = join(await mkdtemp(join(folder, 'loop-')), 'loop');
    await symlink(loop, loop);
    return loop;
  }

  it('are required like their variables', async () => {
    const DATABASE_URL_FILE = await file(URL);
    expect(faultOf({ DATABASE_URL_FILE })).toContain('SECRET_KEYS is required with DATABASE_URL');
    expect(faultOf({ DATABASE_URL_FILE, SECRET_KEYS: KEY })).toBe('none');
  });
});

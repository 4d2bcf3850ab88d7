import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readOrCreateSecretKeys } from '../../src/server/secret-keys-file.js';
import { StartupError } from '../../src/db/startup-error.js';

const KEYS = ['one key of thirty-two characters', 'another of thirty-two characters'] as const;

describe('the file of the secret keys', () => {
  let dataDir: string;
  let file: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-keys-'));
    file = join(dataDir, 'secret-keys');
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  it('is created once with one long key, readable by its owner only', async () => {
    const made = await Promise.all([
      readOrCreateSecretKeys(dataDir),
      readOrCreateSecretKeys(dataDir),
    ]);

    expect(made[0]).toEqual([expect.stringMatching(/^\S{43}$/)]);
    expect(made[1]).toEqual(made[0]);
    expect(await readOrCreateSecretKeys(dataDir)).toEqual(made[0]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('may hold several keys', async () => {
    await writeFile(file, ` ${KEYS.join(' , ')},\n`);

    expect(await readOrCreateSecretKeys(dataDir)).toEqual(KEYS);
  });

  it.each([
    ['nothing', ''],
    ['an empty line', '\n'],
    ['commas', ',,'],
    ['a short key', `${KEYS[0]},short\n`],
    ['the same key twice', `${KEYS[0]},${KEYS[0]}\n`],
  ])('is refused by name, and left alone, if it holds %s', async (_what, content) => {
    await writeFile(file, content);

    const refusal = await readOrCreateSecretKeys(dataDir).catch((error: unknown) => error);

    expect(refusal).toBeInstanceOf(StartupError);
    expect(String(refusal)).toContain(file);
    expect(String(refusal)).not.toContain(KEYS[0]);
    expect((await stat(file)).size).toBe(content.length);
  });
});

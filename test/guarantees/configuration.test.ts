import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { createServerProcesses } from '../support/process/server-process.js';

const KEY = 'a secret key that no log may ever show';

describe('the configuration of a server', () => {
  const processes = createServerProcesses();
  let database: TestDatabase;
  let folder: string;
  beforeAll(async () => {
    database = await createTestDatabase();
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-configuration-'));
  });
  afterAll(async () => {
    await processes.killAll();
    await rm(folder, { recursive: true, force: true });
    await database.drop();
  });

  it('may have every secret in a file; misspelled variables get one line each in the log', async () => {
    const secrets = {
      SECRET_KEYS: KEY,
      DATABASE_URL: database.url,
      ADMIN_PASSWORD: 'a password of the administrator',
    };
    const env: Record<string, string> = { PROT: '8080', SECRET_KEY: 'x', LANG: 'C.UTF-8' };
    for (const [name, value] of Object.entries(secrets)) {
      env[`${name}_FILE`] = join(folder, name);
      await writeFile(join(folder, name), `${value}\n`, { mode: 0o400 });
    }
    const server = await processes.start(env);

    expect(server.stdout()).toContain('the one from ADMIN_PASSWORD');
    const warnings = server
      .stderr()
      .split('\n')
      .filter((line) => line.includes('is not read'))
      .map((line) => JSON.parse(line) as { level: string; msg: string });
    expect(warnings.map(({ msg }) => msg).sort()).toEqual([
      'PROT is not read: did you mean PORT?',
      'SECRET_KEY is not read: did you mean SECRET_KEYS?',
    ]);
    for (const secret of [...Object.values(secrets), database.target.password]) {
      expect(server.stdout() + server.stderr()).not.toContain(secret);
    }
  }, 30_000);

  it('refuses an unknown NODE_ENV and a file that does not exist, in one sentence', async () => {
    const refusal = await processes.refuse({
      NODE_ENV: 'prod',
      DATABASE_URL: database.url,
      SECRET_KEYS_FILE: join(folder, 'nowhere'),
    });
    expect(refusal).toMatch(/^[^\n{]+\.\n$/);
    expect(refusal).toContain('NODE_ENV must be one of development, test, production');
    expect(refusal).toContain('SECRET_KEYS_FILE names a file that does not exist');
    expect(refusal).not.toContain(database.target.password);
  });
});

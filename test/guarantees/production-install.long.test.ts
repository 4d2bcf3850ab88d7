import { execFile, spawn } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { TEST_SECRET_KEY } from '../support/app/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { findFreePort } from '../support/process/free-port.js';
import { until } from '../support/app/until.js';

const run = promisify(execFile);

describe('an installation without development dependencies', () => {
  let folder: string;
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase('template0');
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-install-'));
    const { stdout } = await run('git', ['ls-files', '-z']);
    for (const file of stdout.split('\0').filter(Boolean)) await cp(file, join(folder, file));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
    await database.drop();
  });

  it('builds, starts, answers and stops', async () => {
    await run('npm', ['ci', '--omit=dev', '--no-audit', '--no-fund'], { cwd: folder });
    const port = await findFreePort();
    const { PATH = '', HOME = '' } = process.env;
    const server = spawn('npm', ['start', '-s'], {
      cwd: folder,
      env: {
        PATH,
        HOME,
        PORT: String(port),
        NODE_ENV: 'production',
        DATABASE_URL: database.url,
        SECRET_KEYS: TEST_SECRET_KEY,
        ISSUER: 'https://auth.example.com',
        DRAIN_DELAY_SECONDS: '0',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    });
    let output = '';
    server.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const exited = once(server, 'exit');
    const isReady = () => fetch(`http://127.0.0.1:${port}/readyz`).then(({ ok }) => ok);
    await until(() => server.exitCode !== null || isReady(), { withinMs: 60_000 });
    expect(server.exitCode === null ? '' : output).toBe('');

    process.kill(-(server.pid ?? 0), 'SIGTERM');
    await exited;
    expect(output).toContain('"msg":"stopped"');
  }, 240_000);
});

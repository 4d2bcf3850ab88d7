import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { crashRepeatedly } from '../support/faults/crash.js';
import {
  createOwnDatabase,
  postgresProcessesOf,
  type PostgresProcesses,
} from '../support/database/postgres-processes.js';
import { TEST_SECRET_KEY } from '../support/app/app.js';
import { createServerProcesses, keyInGreeting } from '../support/process/server-process.js';
import {
  removeDataDir,
  startTemporaryPostgres,
  type TemporaryPostgres,
} from '../support/database/temporary-postgres.js';

const CRASHES = 8;

describe('a server with the embedded database that is killed with -9 under load', () => {
  const processes = createServerProcesses();
  let folder: string;
  let dataDir: string;
  let admin: string | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-crash-'));
    dataDir = join(folder, 'data');
    admin = undefined;
  });
  afterEach(async () => {
    await processes.killAll();
    const database = await databaseOf(dataDir);
    await database.kill();
    await removeDataDir(dataDir);
    await rm(folder, { recursive: true, force: true });
  });

  async function start() {
    const server = await processes.start({ DATA_DIR: dataDir });
    admin ??= keyInGreeting(server);
    return { server, admin };
  }

  it('loses nothing that it has acknowledged while the database is left running', async () => {
    const { ledger, broken } = await crashRepeatedly({
      times: CRASHES,
      start,
      crash: (server) => server.end('SIGKILL'),
    });
    expect(broken).toEqual([]);
    expect(ledger.acknowledged).toBeGreaterThanOrEqual(50 * CRASHES);
  }, 120_000);

  it('loses nothing that it has acknowledged when the database is killed along', async () => {
    const { ledger, broken } = await crashRepeatedly({
      times: CRASHES,
      start,
      crash: async (server) => {
        const database = await databaseOf(dataDir);
        await Promise.all([server.end('SIGKILL'), database.kill()]);
      },
    });
    expect(broken).toEqual([]);
    expect(ledger.acknowledged).toBeGreaterThanOrEqual(50 * CRASHES);
  }, 120_000);
});

describe('a server that is killed with -9 under load together with its database', () => {
  const processes = createServerProcesses();
  let postgres: TemporaryPostgres;
  beforeEach(async () => {
    postgres = await startTemporaryPostgres();
  }, 30_000);
  afterEach(async () => {
    await processes.killAll();
    await postgres.stop();
  });

  it('loses no contact, key or revocation that it has acknowledged', async () => {
    const database = postgresProcessesOf(postgres.directory);
    const env = { DATABASE_URL: await createOwnDatabase(postgres), SECRET_KEYS: TEST_SECRET_KEY };
    let admin: string | undefined;
    const { ledger, broken } = await crashRepeatedly({
      times: CRASHES,
      async start() {
        await postgres.restart('immediate');
        const server = await processes.start(env);
        admin ??= keyInGreeting(server);
        return { server, admin };
      },
      crash: (server) => Promise.all([server.end('SIGKILL'), database.kill()]),
    });
    expect(broken).toEqual([]);
    expect(ledger.acknowledged).toBeGreaterThanOrEqual(50 * CRASHES);
  }, 120_000);
});

async function databaseOf(dataDir: string): Promise<PostgresProcesses> {
  const record = await readFile(join(dataDir, 'postgresql.json'), 'utf8');
  const { home } = JSON.parse(record) as { home: string };
  return postgresProcessesOf(resolve(dataDir, home));
}

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { Client } from 'pg';
import {
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from '../../src/db/embedded/embedded-postgres.js';
import type { Mode } from '../../src/db/embedded/lease.js';
import { StartupError } from '../../src/db/startup-error.js';
import { testServer } from '../support/database/database.js';
import { removeDataDir } from '../support/database/temporary-postgres.js';

const DEADLINE_MS = 15_000;
const TEST_TIMEOUT_MS = 60_000;

let folder: string;
let dataDir: string;
let messages: string[];
let running: EmbeddedPostgres[];
let children: ChildProcess[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-embedded-'));
  dataDir = join(folder, 'data');
  messages = [];
  running = [];
  children = [];
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const database of running) await database.stop();
  await removeDataDir(dataDir);
  await rm(folder, { recursive: true, force: true });
}, TEST_TIMEOUT_MS);

async function start(mode: Mode = 'serve'): Promise<EmbeddedPostgres> {
  const note = (object: object, message: string) => {
    messages.push(`${message} ${JSON.stringify(object)}`);
  };
  const database = await startEmbeddedPostgres({ dataDir, mode, log: { info: note, warn: note } });
  running.push(database);
  return database;
}

async function query(database: EmbeddedPostgres, sql: string): Promise<unknown[]> {
  const client = new Client(database.connection);
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function until<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const value = await attempt().catch(() => undefined);
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error('did not happen in time');
    await new Promise((done) => setTimeout(done, 20));
  }
}

async function homeOf(directory: string): Promise<string> {
  const record = await readFile(join(directory, 'postgresql.json'), 'utf8');
  return resolve(directory, (JSON.parse(record) as { home: string }).home);
}

async function postmasterPid(): Promise<number> {
  const file = await readFile(join(await homeOf(dataDir), 'data/postmaster.pid'), 'utf8');
  return Number(file.split('\n')[0]);
}

/** A process of its own that serves the data directory and then waits to be killed. */
async function startServer(): Promise<ChildProcess> {
  const entry = join(testServer().build, 'src/db/embedded/embedded-postgres.js');
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(pathToFileURL(entry).href)};
    const log = { info() {}, warn() {} };
    await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, mode: 'serve', log });
    console.log('up');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  expect(line).toBe('up');
  return child;
}

describe('the embedded PostgreSQL', () => {
  it(
    'keeps its data from one start to the next, and serves the application as an ordinary role',
    async () => {
      const first = await start();
      await query(first, 'CREATE TABLE note AS SELECT 42 AS value');
      await first.stop();
      const second = await start();
      expect(second.connection).toEqual(first.connection);
      expect(await query(second, 'SELECT value FROM note')).toEqual([{ value: 42 }]);
      expect(
        await query(
          second,
          `SELECT rolsuper, rolcreaterole, pg_get_userbyid(datdba) AS owner, current_setting('fsync') AS fsync
           FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()`,
        ),
      ).toEqual([{ rolsuper: false, rolcreaterole: false, owner: 'gatehouse', fsync: 'on' }]);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is private: folders 0700, files 0600, no password in what it logs',
    async () => {
      const { connection } = await start();
      expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
      const home = await homeOf(dataDir);
      expect((await stat(join(home, 'data'))).mode & 0o777).toBe(0o700);
      expect((await stat(home)).mode & 0o007).toBe(0);
      expect((await stat(connection.host)).mode & 0o777).toBe(0o700);
      for (const entry of await readdir(dataDir, { recursive: true, withFileTypes: true })) {
        const { mode } = await stat(join(entry.parentPath, entry.name)).catch(() => ({ mode: 0 }));
        expect({ entry: entry.name, open: mode & 0o077 }).toEqual({ entry: entry.name, open: 0 });
      }
      const log = await readFile(join(home, 'postgresql.log'), 'utf8');
      expect(`${log}${messages.join()}`).not.toContain(connection.password);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is adopted after the server was killed, with everything it had acknowledged',
    async () => {
      const server = await startServer();
      const sharer = await start('share');
      await query(sharer, 'CREATE TABLE note AS SELECT 42 AS value');
      const pid = await postmasterPid();
      server.kill('SIGKILL');
      await once(server, 'exit');
      const next = await start();
      expect(await postmasterPid()).toBe(pid);
      expect(await query(next, 'SELECT value FROM note')).toEqual([{ value: 42 }]);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'recovers when the server and the database were killed together',
    async () => {
      const server = await startServer();
      const pid = await postmasterPid();
      server.kill('SIGKILL');
      process.kill(pid, 'SIGKILL');
      await once(server, 'exit');
      expect(await query(await start(), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      expect(await postmasterPid()).not.toBe(pid);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'admits one server; of two that start together on nothing, one',
    async () => {
      const results = await Promise.allSettled([start(), start()]);
      const refused = results.filter((result) => result.status === 'rejected');
      expect(refused).toHaveLength(1);
      expect(refused[0]?.reason).toBeInstanceOf(StartupError);
      expect(String(refused[0]?.reason)).toContain('in use by another Gatehouse server');
      await expect(start()).rejects.toThrow('in use by another Gatehouse server');
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is stopped by the last process that leaves',
    async () => {
      const server = await start('serve');
      const sharer = await start('share');
      await server.stop();
      expect(await query(sharer, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      await sharer.stop();
      await expect(postmasterPid()).rejects.toThrow('ENOENT');
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'refuses the data of another version of PostgreSQL, and names both',
    async () => {
      await (await start()).stop();
      const versionFile = join(await homeOf(dataDir), 'data/PG_VERSION');
      const major = (await readFile(versionFile, 'utf8')).trim();
      await writeFile(versionFile, '9\n');
      const refusal = await start().catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(StartupError);
      expect(String(refusal)).toContain('made by PostgreSQL 9,');
      expect(String(refusal)).toContain(`comes with PostgreSQL ${major}:`);
    },
    TEST_TIMEOUT_MS,
  );

  it('refuses a folder with other files, and keeps its mode', async () => {
    await mkdir(dataDir, { mode: 0o755 });
    await writeFile(join(dataDir, 'letter.txt'), '');
    await expect(start()).rejects.toThrow(StartupError);
    expect((await stat(dataDir)).mode & 0o777).toBe(0o755);
  });

  it('refuses a path that is not a directory', async () => {
    await writeFile(dataDir, '');
    await expect(start()).rejects.toThrow('is not a directory');
  });

  it(
    'comes back at the same address when its postmaster is killed',
    async () => {
      const database = await start();
      await query(database, 'CREATE TABLE note AS SELECT 42 AS value');
      const pid = await postmasterPid();
      process.kill(pid, 'SIGKILL');
      const rows = await until(async () => {
        const next = await postmasterPid();
        return next === pid ? undefined : await query(database, 'SELECT value FROM note');
      });
      expect(rows).toEqual([{ value: 42 }]);
      await until(async () => messages.find((message) => message.includes('is back')));
      await expect(start()).rejects.toThrow('in use by another Gatehouse server');
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'stops once, however often it is told to, also when it is gone already',
    async () => {
      const database = await start('share');
      process.kill(await postmasterPid(), 'SIGKILL');
      await Promise.all([database.stop(), database.stop()]);
      await database.stop();
    },
    TEST_TIMEOUT_MS,
  );
});

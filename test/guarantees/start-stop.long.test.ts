import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { MIGRATION_LOCK } from '../../src/db/migrate.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import {
  createServerProcesses,
  keyInGreeting,
  type ServerProcess,
} from '../support/process/server-process.js';
import { removeDataDir } from '../support/database/temporary-postgres.js';
import { codeOf, until } from '../support/app/until.js';

const SECRET_KEYS = 'a secret key that no log may ever show';
const CLEAN_EXIT = { code: 0, signal: null };

const processes = createServerProcesses();
let database: TestDatabase;
let env: Record<string, string>;

/**
 * Gives each test of the surrounding block a new database.
 * @param template `template0` for a database without tables, as a new installation's
 */
function useNewDatabase(template?: string): void {
  beforeEach(async () => {
    database = await createTestDatabase(template);
    env = { DATABASE_URL: database.url, SECRET_KEYS };
  });
  afterEach(async () => {
    await processes.killAll();
    await database.drop();
  });
}

/** Also what libraries print when they are loaded must be a line of the log. */
function linesThatAreNoLog({ stderr }: ServerProcess): readonly string[] {
  const lines = stderr().split('\n');
  return lines.filter((line) => line !== '' && !line.startsWith('{'));
}

describe('the first start on an empty database', () => {
  useNewDatabase('template0');

  it('prints a working curl command, once', async () => {
    const first = await processes.start({ ...env, ADMIN_EMAIL: 'owner@example.com' });
    const greeting = first.stdout();
    expect(greeting).toContain('owner@example.com');
    const { port } = new URL(first.origin);
    expect(greeting).toContain(`ready at http://localhost:${port}\n`);
    expect(greeting.match(/API key/g)).toHaveLength(1);
    const answer = await paste(first);
    expect(answer).toContain('"type":"api_key"');
    expect(await first.end('SIGTERM')).toEqual(CLEAN_EXIT);
    expect(first.stdout()).toBe(greeting);

    const second = await processes.start(env);
    const { status } = await second.send('GET', '/api/v1/me', { key: keyInGreeting(first) });
    expect(status).toBe(200);
    expect(await second.end('SIGTERM')).toEqual(CLEAN_EXIT);
    expect(second.stdout()).toBe('');
    expect(linesThatAreNoLog(second)).toEqual([]);
  }, 30_000);

  it('prints the address of the issuer, where sign-in works', async () => {
    const server = await processes.start({ ...env, ISSUER: 'https://auth.example.com' });
    expect(server.stdout()).toContain('ready at https://auth.example.com\n');
    expect(server.stdout()).not.toContain('127.0.0.1');
  }, 30_000);

  it('creates one demo tenant when several servers start at once, and one of them prints it', async () => {
    const release = await holdMigrationLock();
    const starting = Promise.all([1, 2, 3, 4].map(() => processes.start(env)));
    await until(async () => (await countAtMigrationLock()) === 4);
    await release();
    const servers = await starting;
    const [greeting, ...others] = servers.map(({ stdout }) => stdout()).filter(Boolean);
    expect(greeting).toContain('curl');
    expect(others).toEqual([]);
    const key = /API key +(\S+)/.exec(greeting ?? '')?.[1] ?? '';
    for (const server of servers) {
      expect((await server.send('GET', '/api/v1/me', { key })).status).toBe(200);
    }
    expect(
      await database.query(
        `SELECT (SELECT array_agg(slug) FROM tenants) AS tenants,
           (SELECT count(*)::int FROM accounts) AS accounts,
           (SELECT count(*)::int FROM credentials) AS keys`,
      ),
    ).toEqual([{ tenants: ['demo'], accounts: 1, keys: 1 }]);
  }, 30_000);

  it('creates and prints nothing in production', async () => {
    const server = await processes.start({
      ...env,
      NODE_ENV: 'production',
      ISSUER: 'https://auth.example.com',
      DRAIN_DELAY_SECONDS: '0',
    });
    expect(await server.end('SIGTERM')).toEqual(CLEAN_EXIT);
    expect(server.stdout()).toBe('');
    expect(await database.query('SELECT FROM tenants')).toEqual([]);
  }, 30_000);

  it('writes no secret to its log', async () => {
    const ADMIN_PASSWORD = 'a password of the administrator';
    const server = await processes.start({ ...env, LOG_LEVEL: 'trace', ADMIN_PASSWORD });
    const key = keyInGreeting(server);
    const unknown = `${key.slice(0, -3)}abc`;
    await server.send('GET', '/api/v1/me', { key });
    await server.send('GET', `/api/v1/me?auth_token=${key}`);
    await server.send('GET', `/api/v1/${key}`, { key: unknown });
    await server.send('GET', `/${key}`, { key: unknown });
    const body = { name: 'Another', scopes: ['contacts:read'] };
    const minted = await server.send('POST', '/api/v1/api-keys', { key, body });
    await server.send('POST', '/api/v1/contacts', { key, body: { type: key } });
    await database.lock();
    await server.send('GET', '/api/v1/contacts', { key });
    await database.unlock();
    expect(await server.end('SIGTERM')).toEqual(CLEAN_EXIT);

    const log = server.stderr();
    expect(log).toContain('"msg":"request"');
    const secrets = [key, unknown, minted.json.data?.key ?? '', ADMIN_PASSWORD, SECRET_KEYS];
    for (const secret of [...secrets, database.target.password]) {
      expect(secret).not.toBe('');
      expect(log).not.toContain(secret);
    }
    // Nor does the greeting repeat a password that was not made here.
    expect(server.stdout()).toContain('the one from ADMIN_PASSWORD');
    expect(server.stdout()).not.toContain(ADMIN_PASSWORD);
  }, 30_000);

  it('stops at once while it waits for another server to migrate', async () => {
    const release = await holdMigrationLock();
    const server = processes.launch(env);
    await until(async () => (await countAtMigrationLock()) === 1);
    expect(await server.end('SIGTERM')).toEqual(CLEAN_EXIT);
    await release();
    expect(server.stdout()).toBe('');
    expect(await database.query(`SELECT FROM pg_tables WHERE schemaname = 'public'`)).toEqual([]);
  }, 30_000);
});

describe('a server that receives a stop signal', () => {
  useNewDatabase();

  it('finishes the request in flight, also after repeated signals', async () => {
    const server = await processes.start(env);
    const key = keyInGreeting(server);
    const { answer, release } = await sendBlocked(server, key);

    const ended = server.end('SIGTERM');
    await until(() => isRefused(server.origin));
    for (let times = 0; times < 3; times++) {
      process.kill(server.pid, 'SIGTERM');
      process.kill(server.pid, 'SIGINT');
    }
    await release();

    expect((await answer).status).toBe(201);
    expect(await ended).toEqual(CLEAN_EXIT);
    expect(await database.query('SELECT FROM contacts')).toHaveLength(1);
  }, 30_000);

  it('stops the same way on SIGHUP', async () => {
    const server = await processes.start(env);
    expect(await server.end('SIGHUP')).toEqual(CLEAN_EXIT);
    expect(server.stderr()).toContain('"msg":"stopped"');
  }, 30_000);

  it('stops the same way when its process group is signalled, as by a terminal', async () => {
    const server = await processes.start(env);
    const { answer, release } = await sendBlocked(server, keyInGreeting(server));
    process.kill(-server.pid, 'SIGINT');
    await until(() => isRefused(server.origin));
    process.kill(-server.pid, 'SIGTERM');
    await release();
    expect((await answer).status).toBe(201);
    expect(await server.exited).toEqual(CLEAN_EXIT);
  }, 30_000);

  it('stores the last uses of keys before it exits', async () => {
    const server = await processes.start(env);
    const key = keyInGreeting(server);
    expect((await server.send('GET', '/api/v1/me', { key })).status).toBe(200);
    expect(await server.end('SIGTERM')).toEqual(CLEAN_EXIT);
    expect(
      await database.query(
        `SELECT address, used_at > now() - interval '1 minute' AS recent FROM credential_uses`,
      ),
    ).toEqual([{ address: '127.0.0.1', recent: true }]);
  }, 30_000);

  it('stops at once when its database is gone, and logs what it could not write', async () => {
    const server = await processes.start(env);
    await server.send('GET', '/api/v1/me', { key: keyInGreeting(server) });
    await database.lock();
    expect(await server.end('SIGTERM')).toEqual(CLEAN_EXIT);
    await database.unlock();
    expect(server.stderr()).toContain('activity could not be written');
  }, 30_000);

  /** A request that waits for a lock in the database until `release`. */
  async function sendBlocked(server: ServerProcess, key: string) {
    const release = await hold('contacts');
    const answer = server.send('POST', '/api/v1/contacts', { key, body: { type: 'other' } });
    await until(async () => (await countWaiting()) === 1);
    return { answer, release };
  }
});

describe('a server with the embedded database', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-start-'));
  });
  afterEach(async () => {
    await processes.killAll();
    await removeDataDir(join(folder, 'data'));
    await rm(folder, { recursive: true, force: true });
  });

  it('stops with its process group and keeps its data', async () => {
    const own = { DATA_DIR: join(folder, 'data') };
    const first = await processes.start(own);
    const key = keyInGreeting(first);
    process.kill(-first.pid, 'SIGTERM');
    expect(await first.exited).toEqual(CLEAN_EXIT);

    const second = await processes.start(own);
    expect((await second.send('GET', '/api/v1/me', { key })).status).toBe(200);
    expect(await second.end('SIGTERM')).toEqual(CLEAN_EXIT);
    expect(second.stdout()).toBe('');
  }, 60_000);

  it('stops the database on SIGHUP', async () => {
    const server = await processes.start({ DATA_DIR: join(folder, 'data') });
    expect(await server.end('SIGHUP')).toEqual(CLEAN_EXIT);
    await expectNoPostgres();
  }, 60_000);

  it('stops the database when it is signalled while starting', async () => {
    const server = processes.launch({ DATA_DIR: join(folder, 'data') });
    await until(() => server.stderr().includes('embedded PostgreSQL is running'));
    expect(await server.end('SIGTERM')).toEqual(CLEAN_EXIT);
    await expectNoPostgres();
  }, 60_000);

  /** A PostgreSQL that was stopped leaves no file with its process id. */
  async function expectNoPostgres() {
    const record = await readFile(join(folder, 'data/postgresql.json'), 'utf8');
    const { home } = JSON.parse(record) as { home: string };
    const pidFile = join(resolve(folder, 'data', home), 'data/postmaster.pid');
    await expect(stat(pidFile)).rejects.toThrow('ENOENT');
  }
});

/** Locks a table; others wait for it until the returned function is called. */
async function hold(table: string): Promise<() => Promise<void>> {
  const client = new pg.Client(database.client);
  await client.connect();
  await client.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
  return () => client.end();
}

/** Makes all servers that start stand at the same point until the returned function is called. */
async function holdMigrationLock(): Promise<() => Promise<void>> {
  const client = new pg.Client(database.client);
  await client.connect();
  await client.query('SELECT FROM pg_advisory_lock($1)', [MIGRATION_LOCK]);
  return () => client.end();
}

/** How many servers ask for the lock that `holdMigrationLock` holds. */
async function countAtMigrationLock(): Promise<number> {
  const rows = await database.query(
    `SELECT FROM pg_stat_activity
     WHERE datname = current_database() AND query LIKE 'SELECT pg_try_advisory_lock%'`,
  );
  return rows.length;
}

/** How many connections to the database wait for a lock of any sort. */
async function countWaiting(): Promise<number> {
  const rows = await database.query(
    `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rows.length;
}

/** Runs the curl line of the greeting with a shell. */
async function paste({ stdout }: ServerProcess): Promise<string> {
  const line = stdout()
    .split('\n')
    .find((candidate) => candidate.trim().startsWith('curl '));
  const result = await promisify(execFile)('/bin/sh', ['-c', line ?? 'false']);
  return result.stdout;
}

/** Whether nobody listens there any more. */
async function isRefused(origin: string): Promise<boolean> {
  return fetch(origin, { headers: { Connection: 'close' } }).then(
    () => false,
    (error: unknown) => codeOf(Object(error).cause) === 'ECONNREFUSED',
  );
}

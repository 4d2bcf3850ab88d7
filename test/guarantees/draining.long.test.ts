import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { MIGRATION_LOCK } from '../../src/db/migrate.js';
import { TEST_SECRET_KEY } from '../support/app/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { findFreePort } from '../support/process/free-port.js';
import { createServerProcesses, keyInGreeting } from '../support/process/server-process.js';
import { codeOf, until } from '../support/app/until.js';

const CLEAN_EXIT = { code: 0, signal: null };

const processes = createServerProcesses();
let database: TestDatabase;
let env: Record<string, string>;

beforeEach(async () => {
  database = await createTestDatabase();
  env = { DATABASE_URL: database.url, SECRET_KEYS: TEST_SECRET_KEY };
});
afterEach(async () => {
  await processes.killAll();
  await database.drop();
});

describe('a server that drains', () => {
  it.each(['SIGTERM', 'SIGHUP'] as const)(
    'still answers after %s, with /readyz 503 and connections that end, until the delay is over',
    async (signal) => {
      const server = await processes.start({ ...env, DRAIN_DELAY_SECONDS: '2' });
      const key = keyInGreeting(server);
      const told = performance.now();
      const ended = server.end(signal);
      await until(() => server.stderr().includes('"msg":"stopping"'));

      // New connections, as of clients of a balancer that has not noticed.
      const ready = await fetch(`${server.origin}/readyz`);
      expect(ready.status).toBe(503);
      expect(await ready.json()).toMatchObject({ checks: { stopping: true } });
      const answer = await fetch(`${server.origin}/api/v1/me`, {
        headers: { Authorization: `Bearer ${key}` },
      });
      expect(answer.status).toBe(200);
      for (const { headers } of [ready, answer]) expect(headers.get('connection')).toBe('close');

      expect(await ended).toEqual(CLEAN_EXIT);
      expect(performance.now() - told).toBeGreaterThanOrEqual(2000);
      expect(await isRefused(server.origin)).toBe(true);
    },
    30_000,
  );

  it('closes connections after the request in flight, and idle ones', async () => {
    const server = await processes.start({ ...env, DRAIN_DELAY_SECONDS: '300' });
    const key = keyInGreeting(server);
    // Kept alive, and used again below.
    expect((await server.send('GET', '/healthz')).headers.connection).toBe('keep-alive');
    const lock = await lockContacts();
    const writing = server.send('POST', '/api/v1/contacts', { key, body: { type: 'other' } });
    await until(async () => (await countWaiting()) === 1);

    process.kill(server.pid, 'SIGTERM');
    await until(() => server.stderr().includes('"msg":"stopping"'));
    const reading = await server.send('GET', '/healthz');
    expect(reading.headers.connection).toBe('close');
    await lock.end();
    const { status, headers } = await writing;
    expect([status, headers.connection]).toEqual([201, 'close']);
    // A person who waits does not wait for balancers.
    expect(await server.end('SIGINT')).toEqual(CLEAN_EXIT);
  }, 30_000);

  it('finishes requests in flight after the delay', async () => {
    const server = await processes.start({ ...env, DRAIN_DELAY_SECONDS: '1' });
    const key = keyInGreeting(server);
    const lock = await lockContacts();
    const writing = server.send('POST', '/api/v1/contacts', { key, body: { type: 'other' } });
    await until(async () => (await countWaiting()) === 1);
    const ended = server.end('SIGTERM');
    await until(() => isRefused(server.origin));
    await lock.end();
    expect((await writing).status).toBe(201);
    expect(await ended).toEqual(CLEAN_EXIT);
  }, 30_000);

  it('stops without a delay on SIGINT', async () => {
    const server = await processes.start({ ...env, DRAIN_DELAY_SECONDS: '300' });
    expect(await server.end('SIGINT')).toEqual(CLEAN_EXIT);
    expect(server.stderr()).toContain('"delaySeconds":0');
  }, 30_000);
});

describe('a server that starts', () => {
  it('does not listen before it can answer', async () => {
    const port = await findFreePort();
    const origin = `http://127.0.0.1:${port}`;
    const lock = new pg.Client(database.target);
    await lock.connect();
    await lock.query('SELECT FROM pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const server = processes.launch({ ...env, PORT: String(port) });
    await until(async () => (await countAtMigrationLock()) === 1);
    expect(await isRefused(origin)).toBe(true);
    await lock.end();

    // The first answer that there is at all is that it is ready.
    const first = await until(() => fetch(`${origin}/readyz`));
    expect(first.status).toBe(200);
    expect(await server.end('SIGTERM')).toEqual(CLEAN_EXIT);
  }, 30_000);

  it('detects a port in use before it opens the database', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    for (const HOST of ['127.0.0.1', '0.0.0.0']) {
      const DATABASE_URL = 'postgres://nobody@127.0.0.1:1/nowhere';
      expect(await processes.refuse({ ...env, DATABASE_URL, HOST, PORT: String(port) })).toBe(
        `Cannot listen on ${HOST}:${port}: the port is in use.\n`,
      );
    }
    other.close();
  }, 30_000);
});

async function lockContacts(): Promise<pg.Client> {
  const client = new pg.Client(database.target);
  await client.connect();
  await client.query('BEGIN; LOCK TABLE contacts IN ACCESS EXCLUSIVE MODE');
  return client;
}

async function countWaiting(): Promise<number> {
  const rows = await database.query(
    `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rows.length;
}

async function countAtMigrationLock(): Promise<number> {
  const rows = await database.query(
    `SELECT FROM pg_stat_activity
     WHERE datname = current_database() AND query LIKE 'SELECT pg_try_advisory_lock%'`,
  );
  return rows.length;
}

async function isRefused(origin: string): Promise<boolean> {
  return fetch(origin, { headers: { Connection: 'close' } }).then(
    () => false,
    (error: unknown) => codeOf(Object(error).cause) === 'ECONNREFUSED',
  );
}

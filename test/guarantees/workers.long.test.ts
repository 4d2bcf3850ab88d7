import { Agent, request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { createTestApp, TEST_SECRET_KEY, type TestApp, type TestKey } from '../support/app/app.js';
import { codeOf, until } from '../support/app/until.js';
import { findFreePort } from '../support/process/free-port.js';
import {
  createServerProcesses,
  keyInGreeting,
  type ServerProcess,
} from '../support/process/server-process.js';

const CLEAN_EXIT = { code: 0, signal: null };
const WORKERS = 3;
const CLIENTS = 24;

interface LogLine {
  readonly msg: string;
  readonly time: string;
  readonly worker?: number;
  readonly pid?: number;
  readonly requestId?: string;
}

/** A client with one connection, which it opens again when it is closed. */
interface Client {
  /** The ids of the requests that were answered, and the errors of others. */
  readonly answered: string[];
  readonly failed: string[];
  get(path: string): Promise<number>;
  close(): void;
}

describe('a server with several workers', () => {
  const processes = createServerProcesses();
  let gatehouse: TestApp;
  let key: TestKey;
  let server: ServerProcess;
  let clients: Client[];
  let metricsPort: number;

  beforeEach(async () => {
    gatehouse = await createTestApp();
    const tenant = await gatehouse.createTenant('acme');
    key = await gatehouse.createKey(tenant, { rateLimitPerMinute: 0 });
    metricsPort = await findFreePort();
    clients = [];
  });
  afterEach(async () => {
    for (const client of clients) client.close();
    await processes.killAll();
    await gatehouse.close();
  });

  const start = async (env: Record<string, string> = {}) => {
    server = await processes.start({
      DATABASE_URL: gatehouse.database.url,
      SECRET_KEYS: TEST_SECRET_KEY,
      WORKERS: String(WORKERS),
      METRICS_PORT: String(metricsPort),
      LOG_LEVEL: 'debug',
      ...env,
    });
    clients = Array.from({ length: CLIENTS }, createClient);
  };

  function createClient(): Client {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const answered: string[] = [];
    const failed: string[] = [];
    return {
      answered,
      failed,
      close: () => agent.destroy(),
      async get(path) {
        try {
          const headers = { ...key.bearer };
          const outgoing = request(server.origin + path, { agent, headers, timeout: 10_000 });
          outgoing.once('timeout', () => outgoing.destroy(new Error('no answer')));
          const [incoming] = (await once(outgoing.end(), 'response')) as [IncomingMessage];
          await text(incoming);
          answered.push(String(incoming.headers['x-request-id']));
          return incoming.statusCode ?? 0;
        } catch (error) {
          failed.push(codeOf(error) ?? String(error));
          return 0;
        }
      },
    };
  }

  const logged = (): LogLine[] =>
    server
      .stderr()
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as LogLine);
  const starts = () => logged().filter(({ msg }) => msg === 'a worker starts');
  const ends = () => logged().filter(({ msg }) => msg === 'a worker ended');
  const workerOf = (requestId: string | undefined) =>
    logged().find((line) => line.msg === 'request' && line.requestId === requestId)?.worker;
  const kill = (pid: number | undefined, signal: NodeJS.Signals = 'SIGKILL') => {
    if (pid === undefined) throw new Error('there is no process');
    process.kill(pid, signal);
  };
  const countOfMe = async () => {
    const answer = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
    const lines = (await answer.text()).split('\n');
    const found = lines.filter((line) =>
      /^gatehouse_http_request_duration_seconds_count\{.*route="\/api\/v1\/me"/.test(line),
    );
    return found.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };

  it('spreads connections, revokes for all at once, and sums metrics', async () => {
    await start();
    expect(await Promise.all(clients.map((client) => client.get('/api/v1/me')))).toEqual(
      clients.map(() => 200),
    );
    await until(() => clients.every(({ answered }) => workerOf(answered[0]) !== undefined));
    const workers = clients.map(({ answered }) => workerOf(answered[0]));
    for (const id of [1, 2, 3]) {
      expect(workers.filter((worker) => worker === id).length).toBeGreaterThanOrEqual(
        CLIENTS / WORKERS / 2,
      );
    }
    expect(await countOfMe()).toBe(CLIENTS);

    await gatehouse.http.delete(`/api/v1/api-keys/${key.id}`).set(key.bearer).expect(204);
    for (const client of clients) expect(await client.get('/api/v1/me')).toBe(401);
    expect(await countOfMe()).toBe(2 * CLIENTS);
    expect(await server.end('SIGTERM')).toEqual(CLEAN_EXIT);
  }, 60_000);

  it('replaces a killed worker, without a failed request at another one', async () => {
    await start();
    const [victim] = starts();
    let isOver = false;
    const work = async (client: Client) => {
      while (!isOver) await client.get('/api/v1/me');
    };
    // Clients that open a connection for each request meet the moment at which the worker dies.
    const fresh = Array.from({ length: 4 }, createClient);
    const reconnect = async (client: Client) => {
      while (!isOver) {
        await client.get('/healthz');
        client.close();
      }
    };
    const working = [...clients.map(work), ...fresh.map(reconnect)];
    await until(() => clients.every(({ answered }) => answered.length > 20));
    const before = await countOfMe();
    const isAtVictim = ({ answered }: Client) => workerOf(answered[5]) === victim?.worker;
    const affected = clients.filter(isAtVictim);
    expect(affected.length).toBeGreaterThan(0);
    kill(victim?.pid);
    await until(() => starts().length === WORKERS + 1 && ends().length === 1);
    expect(await countOfMe()).toBeGreaterThanOrEqual(before);
    // The replacement serves.
    const isServing = () => logged().some((line) => line.msg === 'request' && line.worker === 4);
    await until(isServing, { withinMs: 20_000 });
    isOver = true;
    await Promise.all(working);

    // A request at the killed worker fails, once. All others are answered.
    for (const client of clients) {
      expect(client.failed.length).toBeLessThanOrEqual(affected.includes(client) ? 1 : 0);
    }
    // New connections that the worker had just taken fail, and none hangs.
    expect(fresh.flatMap(({ failed }) => failed).length).toBeLessThanOrEqual(fresh.length);
    expect(fresh.flatMap(({ failed }) => failed)).not.toContain('Error: no answer');
    expect(await server.end('SIGTERM')).toEqual(CLEAN_EXIT);
  }, 90_000);

  it('drains all workers on SIGTERM to every process, without a failed request', async () => {
    await start({ DRAIN_DELAY_SECONDS: '2' });
    let isOver = false;
    const work = async (client: Client) => {
      while (!isOver) expect(await client.get('/api/v1/me')).toBe(200);
    };
    const working = clients.map(work);
    await until(() => clients.every(({ answered }) => answered.length > 5));
    const pids = starts().map(({ pid }) => pid);
    // As systemd sends it.
    for (const pid of pids) kill(pid, 'SIGTERM');
    const ended = server.end('SIGTERM');
    await until(() => logged().some(({ msg }) => msg === 'stopping'));
    const seen = clients.map(({ answered }) => answered.length);
    const { status, headers } = await fetch(`${server.origin}/readyz`);
    expect([status, headers.get('connection')]).toEqual([503, 'close']);
    // Requests are answered in the delay, over new connections.
    await until(() =>
      clients.every(({ answered }, index) => answered.length > (seen[index] ?? 0) + 2),
    );
    isOver = true;
    await Promise.all(working);
    expect(clients.flatMap(({ failed }) => failed)).toEqual([]);
    expect(await ended).toEqual(CLEAN_EXIT);
    for (const pid of pids) expect(() => kill(pid, 'SIGCONT')).toThrow();
  }, 60_000);

  it('ends although a worker hangs that was given connections', async () => {
    await start();
    const [{ pid = 0 } = {}] = starts();
    process.kill(pid, 'SIGSTOP');
    // Some of them are with the worker that hangs, and are not taken.
    const asked = clients.map((client) => client.get('/healthz'));
    await until(() => clients.some(({ answered }) => answered.length > 0));
    expect(await server.end('SIGTERM')).toEqual(CLEAN_EXIT);
    await Promise.all(asked);
    expect(() => process.kill(pid, 'SIGCONT')).toThrow();
  }, 90_000);

  it('answers what workers have received when the listener closes', async () => {
    await start();
    const lock = gatehouse.dataSource.createQueryRunner();
    await lock.startTransaction();
    await lock.query('LOCK TABLE contacts IN ACCESS EXCLUSIVE MODE');
    // No contact has the id. Lists of one turn would wait in one session.
    const pending = clients.map((client) => client.get('/api/v1/contacts/1'));
    await until(async () => {
      const rows = await gatehouse.database.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rows.length >= CLIENTS / 2;
    });
    const ended = server.end('SIGTERM');
    await until(() =>
      fetch(`${server.origin}/healthz`).then(
        () => false,
        () => true,
      ),
    );
    await lock.rollbackTransaction();
    await lock.release();
    expect(await Promise.all(pending)).toEqual(clients.map(() => 404));
    expect(await ended).toEqual(CLEAN_EXIT);
  }, 60_000);

  it('keeps connections waiting while no worker serves, and ends if none can be kept', async () => {
    await start();
    const [client] = clients;
    const killedAt = Date.now();
    for (const { pid } of starts()) kill(pid);
    // Accepted by the primary process, and answered by the first replacement.
    expect(await client?.get('/api/v1/me')).toBe(200);
    let exit: unknown;
    void server.exited.then((value) => (exit = value));
    const killed = new Set<number>();
    await until(
      () => {
        for (const { pid = 0 } of starts()) {
          if (killed.has(pid)) continue;
          killed.add(pid);
          try {
            kill(pid);
          } catch {
            // It has ended.
          }
        }
        return exit !== undefined;
      },
      { withinMs: 60_000 },
    );
    expect(exit).toEqual({ code: 1, signal: null });
    expect(server.stderr()).toContain('Workers ended again and again');
    const lines = logged().filter(({ msg }) => msg.startsWith('a worker '));
    const times = lines.map(({ time }) => Date.parse(time));
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    // The pauses grow, and the server does not give up before it has tried for 15 seconds.
    expect(Math.max(...gaps)).toBeGreaterThan(1500);
    expect((times.at(-1) ?? 0) - (times.find((time) => time >= killedAt) ?? 0)).toBeGreaterThan(
      14_900,
    );
  }, 90_000);

  it('bounds the connections of all workers together', async () => {
    await start({ MAX_CONNECTIONS: '6' });
    const results = [];
    for (const client of clients.slice(0, 8)) results.push(await client.get('/healthz'));
    expect(results.filter((status) => status === 200).length).toBeLessThanOrEqual(6);
    expect(results).toContain(0);
    for (const client of clients) client.close();
    // Room again.
    await until(async () => (await clients[0]?.get('/healthz')) === 200);
    expect(await server.end('SIGTERM')).toEqual(CLEAN_EXIT);
  }, 60_000);

  it('fails to start like a single process, with one message', async () => {
    const output = await processes.refuse({
      DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nowhere',
      SECRET_KEYS: TEST_SECRET_KEY,
      WORKERS: '2',
    });
    expect(output).toMatch(/^The database at .* cannot be used: .*\n$/);
  }, 60_000);

  it('shares the embedded database, and leaves no process behind when it is killed', async () => {
    const { mkdtemp, rm } = await import('node:fs/promises');
    const folder = await mkdtemp('/tmp/gatehouse-workers-');
    const env = { DATA_DIR: folder, WORKERS: '2', LOG_LEVEL: 'debug' };
    server = await processes.start(env);
    const secret = keyInGreeting(server);
    expect((await server.send('GET', '/api/v1/me', { key: secret })).status).toBe(200);
    const pids = starts().map(({ pid }) => pid);
    await server.end('SIGKILL');
    await until(() =>
      pids.every((pid) => {
        try {
          kill(pid, 'SIGCONT');
          return false;
        } catch {
          return true;
        }
      }),
    );
    server = await processes.start(env);
    expect((await server.send('GET', '/api/v1/me', { key: secret })).status).toBe(200);
    expect(await server.end('SIGINT')).toEqual(CLEAN_EXIT);
    await rm(folder, { recursive: true, force: true });
  }, 90_000);
});

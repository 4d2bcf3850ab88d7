import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { createVerifierPool } from '../../src/credentials/verification/pool.js';
import { createDataSource } from '../../src/db/data-source.js';
import { TEST_SECRET_KEY } from '../support/app/app.js';
import { findFreePort } from '../support/process/free-port.js';
import { createOwnDatabase } from '../support/database/postgres-processes.js';
import {
  createServerProcesses,
  keyInGreeting,
  type ServerProcess,
} from '../support/process/server-process.js';
import { startStandby, STANDBY_NAME, type Standby } from '../support/database/standby.js';
import {
  startTemporaryPostgres,
  type TemporaryPostgres,
} from '../support/database/temporary-postgres.js';
import { findWrong, isRight, startTraffic } from '../support/faults/traffic.js';
import { until } from '../support/app/until.js';

const POOL_SIZE = 4;
const FOLLOWS_WITHIN_MS = 5000;
/** Two rounds of giving up on a commit. */
const OBSERVED_MS = 40_000;

describe('a server whose primary has a standby', () => {
  const processes = createServerProcesses();
  let primary: TemporaryPostgres;
  let standby: Standby;
  let server: ServerProcess;
  let metricsPort: number;
  let env: Record<string, string>;
  beforeAll(async () => {
    primary = await startTemporaryPostgres();
    const url = new URL((await createOwnDatabase(primary)).replace('@/', '@localhost/'));
    standby = await startStandby(primary);
    // The standby first: it has to be passed over.
    const servers = [standby.connection, primary.connection];
    const hosts = servers.map(({ host }) => host).join(',');
    const ports = servers.map(({ port }) => port).join(',');
    metricsPort = await findFreePort();
    env = {
      SECRET_KEYS: TEST_SECRET_KEY,
      DATABASE_URL: `postgres://gatehouse:${url.password}@/gatehouse?host=${hosts}&port=${ports}&target_session_attrs=read-write`,
      DATABASE_POOL_SIZE: String(POOL_SIZE),
      METRICS_PORT: String(metricsPort),
    };
    server = await processes.start(env);
  }, 60_000);
  afterAll(async () => {
    await processes.killAll();
    await standby.stop();
    await primary.stop();
  });

  function createContact() {
    return server.send('POST', '/api/v1/contacts', {
      key: keyInGreeting(server),
      body: { type: 'customer' },
    });
  }

  /** Connections of the program, and those of them whose commit waits for the standby. */
  async function countSessions(): Promise<{ all: number; waiting: number }> {
    const client = new pg.Client(primary.connection);
    await client.connect();
    const { rows } = await client.query<{ all: number; waiting: number }>(
      `SELECT count(*)::int AS all, count(*) FILTER (WHERE wait_event = 'SyncRep')::int AS waiting
       FROM pg_stat_activity WHERE usename = 'gatehouse'`,
    );
    await client.end();
    return rows[0] ?? { all: 0, waiting: 0 };
  }

  async function setSynchronous(name: string): Promise<void> {
    const client = new pg.Client(primary.connection);
    await client.connect();
    await client.query(`ALTER SYSTEM SET synchronous_standby_names = '${name}'`);
    await client.query('SELECT pg_reload_conf()');
    await client.end();
  }

  it('does not start on the standby alone, and no pool uses it', async () => {
    const { host, port } = standby.connection;
    const { password } = new URL(env['DATABASE_URL']?.replace('@/', '@localhost/') ?? '');
    const DATABASE_URL = `postgres://gatehouse:${password}@/gatehouse?host=${host}&port=${port}`;
    expect(await processes.refuse({ SECRET_KEYS: TEST_SECRET_KEY, DATABASE_URL })).toBe(
      'DATABASE_URL names a standby; the primary is needed.\n',
    );
    const target = { host, port, user: 'gatehouse', password, database: 'gatehouse' };
    const refusal = { code: '25006', message: 'the database is a standby' };
    const verifier = createVerifierPool(target, () => undefined);
    await expect(verifier.query('SELECT 1')).rejects.toMatchObject(refusal);
    await verifier.end();
    for (const pace of ['request', 'startup'] as const) {
      const mapper = createDataSource(target, [], () => undefined, pace);
      await expect(mapper.initialize()).rejects.toMatchObject(refusal);
    }
  });

  it('limits the wait for a synchronous standby that is gone, and logs it', async () => {
    await setSynchronous(STANDBY_NAME);
    await until(async () => (await createContact()).status === 201);
    await standby.pause();
    let isOver = false;
    const statuses = new Set<number>();
    const work = async () => {
      while (!isOver) statuses.add((await createContact()).status);
    };
    const load = Promise.all(Array.from({ length: 3 * POOL_SIZE }, work));
    const most = { all: 0, waiting: 0 };
    const end = performance.now() + OBSERVED_MS;
    await until(
      async () => {
        const { all, waiting } = await countSessions();
        most.all = Math.max(most.all, all);
        most.waiting = Math.max(most.waiting, waiting);
        return performance.now() > end;
      },
      { withinMs: 2 * OBSERVED_MS },
    );
    const metrics = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
    const text = await metrics.text();
    // Verdicts have connections of their own.
    const me = await server.send('GET', '/api/v1/me', { key: keyInGreeting(server) });
    isOver = true;
    await standby.resume();
    await load;
    await until(async () => (await createContact()).status === 201);
    await setSynchronous('');

    expect(me.status).toBe(200);
    expect(statuses).toContain(503);
    expect([...statuses].filter((status) => ![201, 503].includes(status))).toEqual([]);
    expect(most.waiting).toBeGreaterThanOrEqual(POOL_SIZE);
    expect(most.waiting).toBeLessThanOrEqual(2 * POOL_SIZE);
    // The verifier's, and those that are just being turned away.
    expect(most.all).toBeLessThanOrEqual(2 * POOL_SIZE + 4 + POOL_SIZE);
    expect(text).toMatch(/^gatehouse_commits_awaiting_standby [4-8]$/m);
    const told = server
      .stderr()
      .split('\n')
      .filter((line) => line.includes('synchronous standby'));
    expect(told.filter((line) => line.includes('a database connection broke'))).toHaveLength(1);
  }, 180_000);

  it('follows the primary when the standby is promoted', async () => {
    const key = keyInGreeting(server);
    const revoked = await server.send('POST', '/api/v1/api-keys', {
      key,
      body: { name: 'Revoked', scopes: ['contacts:read'] },
    });
    const { id = '', key: dead = '' } = revoked.json.data ?? {};
    await server.send('DELETE', `/api/v1/api-keys/${id}`, { key });
    const me = { method: 'GET', path: '/api/v1/me', status: 200 } as const;
    const traffic = startTraffic(
      server,
      [
        { ...me, name: 'a good key', options: { key } },
        { ...me, name: 'a revoked key', options: { key: dead }, status: 401 },
        {
          name: 'a new contact',
          method: 'POST',
          path: '/api/v1/contacts',
          options: {
            key,
            body: { type: 'customer' },
          },
          status: 201,
        },
      ],
      2,
    );
    await until(() => traffic.outcomes.filter(isRight).length > 100);
    await primary.halt();
    await standby.promote();
    const promoted = performance.now();
    const rightSince = () =>
      new Set(
        traffic.outcomes
          .filter((outcome) => outcome.sentAt > promoted && isRight(outcome))
          .map(({ errand }) => errand.name),
      );
    await until(() => rightSince().size === 3, { withinMs: 30_000 });
    const followed = performance.now();
    await traffic.stop();
    expect(findWrong(traffic.outcomes)).toEqual([]);
    expect(followed - promoted).toBeLessThan(FOLLOWS_WITHIN_MS);
    const again = await processes.start({ ...env, METRICS_PORT: '' });
    expect((await again.send('GET', '/api/v1/me', { key })).status).toBe(200);
  }, 90_000);
});

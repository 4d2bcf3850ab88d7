import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { createTestApp, TEST_SECRET_KEY, type TestApp } from '../support/app/app.js';
import { startHaproxy, startNginx, type Balancer } from '../support/replicas/balancers.js';
import { findFreePort } from '../support/process/free-port.js';
import { createHttpClient } from '../support/app/http-client.js';
import { createServerProcesses, type ServerProcess } from '../support/process/server-process.js';

const REQUESTS = 25_000;
const RESTARTS = 6;
const WORKERS_PER_BALANCER = 6;

describe('a rolling restart of three replicas, one with two workers, behind HAProxy and nginx', () => {
  const processes = createServerProcesses();
  let gatehouse: TestApp;
  let folder: string;
  let ports: number[];
  let replicas: ServerProcess[];
  let balancers: Balancer[];
  beforeEach(async () => {
    gatehouse = await createTestApp();
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-balancers-'));
    ports = [await findFreePort(), await findFreePort(), await findFreePort()];
    replicas = [];
    for (const port of ports) replicas.push(await startReplica(port));
    balancers = [
      await startHaproxy({ replicas: ports, port: await findFreePort(), folder }),
      await startNginx({ replicas: ports, port: await findFreePort(), folder }),
    ];
  }, 60_000);
  afterEach(async () => {
    await Promise.all(balancers.map((balancer) => balancer.stop()));
    await processes.killAll();
    await gatehouse.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('loses no request of clients that do not retry, and repeats none that writes', async () => {
    const tenant = await gatehouse.createTenant('first');
    const key = await gatehouse.createKey(tenant);
    const failures: string[] = [];
    let answered = 0;
    let written = 0;
    let isRestarting = true;

    const work = async ({ origin }: Balancer) => {
      const client = createHttpClient(origin);
      for (let round = 0; isRestarting || answered < REQUESTS; round += 1) {
        const writes = round % 5 === 0;
        const request = writes
          ? client.send('POST', '/api/v1/contacts', { key: key.secret, body: { type: 'other' } })
          : client.send('GET', '/api/v1/me', { key: key.secret });
        const outcome = await request.then(({ status, text }) => ({ status, text }), String);
        answered += 1;
        if (typeof outcome === 'string') failures.push(`${origin}: ${outcome}`);
        else if (outcome.status !== (writes ? 201 : 200)) {
          failures.push(`${origin}: ${outcome.status} ${outcome.text}`);
        } else if (writes) written += 1;
        if (failures.length > 100) return;
      }
      client.close();
    };
    const restart = async () => {
      for (let times = 0; times < RESTARTS; times += 1) {
        const index = times % replicas.length;
        expect(await replicas[index]?.end('SIGTERM')).toEqual({ code: 0, signal: null });
        replicas[index] = await startReplica(ports[index] ?? 0);
      }
      isRestarting = false;
    };
    const workers = balancers.flatMap((balancer) =>
      Array.from({ length: WORKERS_PER_BALANCER }, () => work(balancer)),
    );
    await Promise.all([...workers, restart()]);

    // The balancers say why they answered 502.
    if (failures.length > 0) failures.push(...balancers.map(({ output }) => output()));
    expect(failures).toEqual([]);
    expect(answered).toBeGreaterThanOrEqual(REQUESTS);
    const [row] = await gatehouse.database.query<{ count: number }>(
      'SELECT count(*)::int FROM contacts',
    );
    expect(row?.count).toBe(written);
  }, 180_000);

  function startReplica(port: number): Promise<ServerProcess> {
    return processes.start({
      NODE_ENV: 'production',
      DATABASE_URL: gatehouse.database.url,
      SECRET_KEYS: TEST_SECRET_KEY,
      ISSUER: 'https://auth.example.com',
      TRUST_PROXY: '127.0.0.1',
      PORT: String(port),
      WORKERS: port === ports[0] ? '2' : '1',
    });
  }
});

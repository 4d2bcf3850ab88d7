import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { TEST_SECRET_KEY } from '../support/app/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { findFreePort } from '../support/process/free-port.js';
import { documentedMetrics, exposedMetrics } from '../support/app/metrics-table.js';
import { createServerProcesses, keyInGreeting } from '../support/process/server-process.js';

describe('/metrics', () => {
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

  it('reports requests, verdicts, batches, the pool and the event loop on its own port only', async () => {
    const port = await findFreePort();
    const server = await processes.start({ ...env, METRICS_PORT: String(port) });
    await server.send('GET', '/api/v1/me', { key: keyInGreeting(server) });
    await server.send('GET', '/api/v1/me', { key: 'nonsense' });

    const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect(answer.headers.get('content-type')).toContain('text/plain; version=');
    const text = await answer.text();
    for (const series of [
      'gatehouse_http_request_duration_seconds_count{method="GET",route="/api/v1/me",status="200"} 1',
      'gatehouse_http_request_duration_seconds_count{method="GET",route="/api/v1/me",status="401"} 1',
      'gatehouse_verdicts_total{verdict="accepted"} 1',
      'gatehouse_verdicts_total{verdict="malformed"} 1',
      'gatehouse_lookup_batch_size_count 1',
      'gatehouse_lookup_batch_duration_seconds_count 1',
      'gatehouse_verifier_pool_connections{state="idle"} 1',
    ]) {
      expect(text.split('\n')).toContain(series);
    }
    expect(text).toMatch(/^nodejs_eventloop_lag_seconds \d/m);

    expect((await fetch(`http://127.0.0.1:${port}/api/v1/scopes`)).status).toBe(404);
    expect((await server.send('GET', '/metrics')).status).toBe(404);
  }, 30_000);

  it('has exactly the metrics and labels of the documentation', async () => {
    const port = await findFreePort();
    const server = await processes.start({ ...env, METRICS_PORT: String(port) });
    await server.send('GET', '/api/v1/me', { key: 'nonsense' });
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const documented = documentedMetrics();
    const exposed = exposedMetrics(text);

    const own = [...exposed.keys()].filter((name) => name.startsWith('gatehouse_'));
    const ownDocumented = [...documented.keys()].filter((name) => name.startsWith('gatehouse_'));
    expect(ownDocumented.toSorted()).toEqual(own.toSorted());
    expect([...documented.keys()].filter((name) => !exposed.has(name))).toEqual([]);
    for (const name of own) {
      const labels = [...(exposed.get(name) ?? [])];
      // A series without a sample shows no labels yet.
      if (labels.length > 0) {
        expect([name, labels.toSorted()]).toEqual([name, documented.get(name)?.toSorted()]);
      }
    }
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    expect(text).toMatch(
      new RegExp(
        `^gatehouse_build_info\\{version="${version}",build="[0-9a-f]+",node="v[\\d.]+"\\} 1$`,
        'm',
      ),
    );
  }, 30_000);

  it('is absent without METRICS_PORT', async () => {
    const server = await processes.start(env);
    expect((await server.send('GET', '/metrics')).status).toBe(404);
  }, 30_000);
});

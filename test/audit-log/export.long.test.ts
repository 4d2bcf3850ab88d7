import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, expect, it } from '@jest/globals';

import { createTestApp, TEST_SECRET_KEY, type TestApp } from '../support/app/app.js';
import { findFreePort } from '../support/process/free-port.js';
import { createServerProcesses } from '../support/process/server-process.js';

const ROWS = 1_000_000;
const MEGABYTE = 1024 * 1024;

const processes = createServerProcesses();
let gatehouse: TestApp;
beforeAll(async () => {
  gatehouse = await createTestApp();
});
afterAll(async () => {
  await processes.killAll();
  await gatehouse.close();
});

/** The resident memory of a server, by its own metrics. */
async function memoryOf(metricsPort: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]);
}

it('exports a million entries with flat memory, and holds no transaction open', async () => {
  const tenant = await gatehouse.createTenant('acme');
  const { bearer } = await gatehouse.createKey(tenant, { scopes: ['audit:read'] });
  await gatehouse.database.query(
    `INSERT INTO audit_log (tenant_id, actor, action, subject, details, address, request_id, at)
     SELECT $1, 'operator', 'test.export', 'key_' || n, jsonb_build_object('name', 'Key ' || n),
       '192.0.2.1', 'req_' || n, gatehouse_now() - interval '1 second' * n
     FROM generate_series(1, ${ROWS}) n`,
    [tenant.id],
  );
  await gatehouse.database.query('ANALYZE audit_log');
  const metricsPort = await findFreePort();
  const server = await processes.start({
    DATABASE_URL: gatehouse.database.url,
    SECRET_KEYS: TEST_SECRET_KEY,
    ISSUER: gatehouse.config.ISSUER,
    METRICS_PORT: String(metricsPort),
  });
  const began = performance.now();
  const sent = request(`${server.origin}/api/v1/audit-log/exports?format=csv&action=test.export`, {
    headers: bearer,
  });
  sent.end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  expect(answer.statusCode).toBe(200);
  let lines = 0;
  let bytes = 0;
  let early = 0;
  let most = 0;
  let longest = 0;
  let nextLook = 100_000;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    for (const byte of chunk) if (byte === 10) lines += 1;
    if (lines < nextLook) continue;
    nextLook += 100_000;
    const memory = await memoryOf(metricsPort);
    if (early === 0) early = memory;
    most = Math.max(most, memory);
    const [row] = await gatehouse.database.query<{ seconds: number }>(
      `SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 AS seconds
       FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    longest = Math.max(longest, row?.seconds ?? 0);
  }
  expect(lines).toBe(ROWS + 1);
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  console.info({ seconds, megabytes: Math.round(bytes / MEGABYTE), early, most, longest });
  // The whole file has 193 MB. Garbage of the collector's young generation comes and goes.
  expect((most - early) / MEGABYTE).toBeLessThan(160);
  expect(longest).toBeLessThan(2);
}, 600_000);

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';

import { createTestApp, TEST_SECRET_KEY, type TestApp } from '../support/app/app.js';
import { inParallel } from '../support/app/parallel.js';
import { createMeasuredProcesses } from '../support/process/held-memory.js';
import type { ServerProcess } from '../support/process/server-process.js';

const KEYS = 500;
const CLIENTS = 30;
/** Requests before the first measurement: code is compiled, and each key was used. */
const WARM_UP = 10_000;
/** Requests between two looks at the resident memory, which includes garbage. */
const STRETCH = 2000;
const STRETCHES = 15;
/** Room for the 1,500 keys that are created and revoked. */
const GROWTH_MB = 4;
/** It needs 150 to 180 as a rule. */
const MAX_MEGABYTES = 240;

/** The options of Node.js with which `npm start` starts the server. */
function startOptions(): readonly string[] {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    scripts: { start: string };
  };
  return scripts.start.split(' ').filter((word) => word.startsWith('--'));
}

let measured: Awaited<ReturnType<typeof createMeasuredProcesses>>;
let gatehouse: TestApp;
let server: ServerProcess;
let keys: readonly string[];
let manager: string;

beforeAll(async () => {
  measured = await createMeasuredProcesses(startOptions());
  gatehouse = await createTestApp();
  const tenant = await gatehouse.createTenant('acme');
  const scopes = ['contacts:read', 'contacts:write'];
  const created: string[] = [];
  await inParallel(KEYS, 8, async () => {
    created.push((await gatehouse.createKey(tenant, { scopes })).secret);
  });
  keys = created;
  ({ secret: manager } = await gatehouse.createKey(tenant, {
    scopes: ['api_keys:manage', 'contacts:read'],
  }));
  server = await measured.processes.start({
    ...measured.env,
    DATABASE_URL: gatehouse.database.url,
    SECRET_KEYS: TEST_SECRET_KEY,
    ISSUER: gatehouse.config.ISSUER,
  });
}, 120_000);
afterAll(async () => {
  await measured.processes.killAll();
  await gatehouse.close();
});

function residentMegabytes(): number {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** One of the requests of services and administrators, by its number. @returns its status, and the right one */
async function sendOne(number: number): Promise<readonly [seen: number, right: number]> {
  const key = keys[number % keys.length] ?? '';
  const send = async (method: 'GET' | 'POST', path: string, body?: object) =>
    (await server.send(method, path, { key, ...(body !== undefined && { body }) })).status;
  switch (number % 20) {
    case 0:
      return [await createAndRevoke(), 204];
    case 1:
      return [
        (await server.send('GET', '/api/v1/me', { key: `${key.slice(0, -1)}!` })).status,
        401,
      ];
    case 2:
    case 3:
      return [await send('POST', '/api/v1/contacts', { type: 'customer', firstName: 'Ada' }), 201];
    case 4:
    case 5:
    case 6:
      return [await send('GET', '/api/v1/contacts?limit=25'), 200];
    default:
      return [await send('GET', '/api/v1/me'), 200];
  }
}

async function createAndRevoke(): Promise<number> {
  const body = { name: 'Short', scopes: ['contacts:read'] };
  const created = await server.send('POST', '/api/v1/api-keys', { key: manager, body });
  const path = `/api/v1/api-keys/${created.json.data?.id}`;
  return (await server.send('DELETE', path, { key: manager, body: { confirm: 'Short' } })).status;
}

let sent = 0;
async function sendMany(count: number): Promise<void> {
  const end = sent + count;
  const client = async () => {
    while (sent < end) {
      const [seen, right] = await sendOne(sent++);
      expect(seen).toBe(right);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

it('a server under a mixed load holds no more after it than in its middle', async () => {
  await sendMany(WARM_UP);
  const before = await measured.heldBy(server);
  let most = residentMegabytes();
  for (let stretch = 0; stretch < STRETCHES; stretch += 1) {
    await sendMany(STRETCH);
    most = Math.max(most, residentMegabytes());
  }
  const growth = (await measured.heldBy(server)) - before;
  console.info(`${before.toFixed(1)} MB held, ${growth.toFixed(1)} more in the end`);
  expect(growth).toBeLessThan(GROWTH_MB);
  expect(most).toBeLessThan(MAX_MEGABYTES);
}, 600_000);

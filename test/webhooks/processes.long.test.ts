import { afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';

import { TEST_SECRET_KEY, type TestKey } from '../support/app/app.js';
import { createOperatorKey, operatorSender } from '../support/app/operator.js';
import { until } from '../support/app/until.js';
import { createReceiver, type Received, type Receiver } from '../support/app/webhook-receiver.js';
import { createServerProcesses, type ServerProcess } from '../support/process/server-process.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';

const SUBJECTS = 20;
/** Longer than the claim of a killed process lasts. */
const TAKEN_OVER_WITHIN_MS = 40_000;

const processes = createServerProcesses();
const gatehouse = useGatehouse({ OUTBOUND_ALLOW_LOOPBACK: 'true' });
let tenant: Tenant;
let receiver: Receiver;
let operator: TestKey;
let env: Record<string, string>;
beforeAll(async () => {
  tenant = await gatehouse.createTenant('acme');
  operator = await createOperatorKey(gatehouse);
  env = {
    DATABASE_URL: gatehouse.database.url,
    SECRET_KEYS: TEST_SECRET_KEY,
    OUTBOUND_ALLOW_LOOPBACK: 'true',
  };
}, 60_000);
beforeEach(async () => {
  receiver = await createReceiver();
  await gatehouse.database.query('DELETE FROM webhooks; DELETE FROM webhook_deliveries');
});
afterEach(async () => {
  await processes.killAll();
  receiver.close();
});

async function createWebhook(path: string): Promise<string> {
  const send = operatorSender(gatehouse, operator);
  const fields = { url: receiver.url(path), types: ['test.*'] };
  return (await send('post', 'webhooks', fields)).body.data.id as string;
}

/** Adds events, the first of each subject before the second of each. The details number those of a subject. */
const emit = (count: number, from = 0) =>
  gatehouse.database.query(
    `INSERT INTO audit_log (tenant_id, action, subject, actor, details)
     SELECT $1, 'test.noted', 'subject-' || n % $2, 'operator', jsonb_build_object('number', n / $2)
     FROM generate_series($3::int, $4::int - 1) n ORDER BY n`,
    [tenant.id, SUBJECTS, from, from + count],
  );
const waiting = async () => {
  const [row] = await gatehouse.database.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM webhook_deliveries WHERE state = 'pending'`,
  );
  return row?.count;
};

/** Whether each event of a subject came for the first time after the one before. @returns the number of events */
function countInOrder(messages: readonly Received[]): number {
  const next = new Map<string, number>();
  for (const { event, body } of messages) {
    const { number } = (JSON.parse(body) as { details: { number: number } }).details;
    const expected = next.get(event.subject) ?? 0;
    if (number > expected) throw new Error(`${event.subject}: ${number} came before ${expected}`);
    if (number === expected) next.set(event.subject, expected + 1);
  }
  return [...next.values()].reduce((sum, count) => sum + count, 0);
}

it('every event arrives, in order, although processes are killed with -9 in the middle of deliveries', async () => {
  const PER_CRASH = 400;
  const CRASHES = 4;
  await createWebhook('/crash');
  const servers = [await processes.start(env), await processes.start(env)];
  for (let crash = 0; crash < CRASHES; crash += 1) {
    const seen = receiver.received.length;
    let held = 0;
    // Some are received and never answered: nobody can know whether they arrived.
    receiver.answer = (_message, response) => {
      if (receiver.received.length - seen > 100) held += 1;
      else response.writeHead(204).end();
    };
    await emit(PER_CRASH, crash * PER_CRASH);
    await until(() => held > 0, { withinMs: TAKEN_OVER_WITHIN_MS });
    // The one that delivers is among them. Sometimes the other one lives on.
    const killed = crash % 2 === 0 ? servers.splice(0) : servers.splice(0, 1);
    await Promise.all(killed.map((server) => server.end('SIGKILL')));
    receiver.answer = undefined;
    while (servers.length < 2) servers.push(await processes.start(env));
    await until(async () => (await waiting()) === 0, { withinMs: TAKEN_OVER_WITHIN_MS });
  }
  await until(() => countInOrder(receiver.received) === CRASHES * PER_CRASH);
  const [log] = await gatehouse.database.query(
    `SELECT count(*)::int AS all, count(*) FILTER (WHERE state = 'delivered')::int AS delivered
     FROM webhook_deliveries`,
  );
  expect(log).toEqual({ all: CRASHES * PER_CRASH, delivered: CRASHES * PER_CRASH });
}, 300_000);

it('10,000 events with receivers that hang hold no connection, and delay no request', async () => {
  const EVENTS = 10_000;
  const REQUESTS = 2000;
  const HANGING = 5;
  const key = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
  for (let number = 0; number < HANGING; number += 1) await createWebhook(`/hang-${number}`);
  await createWebhook('/good');
  const open = new Set<string>();
  let mostOpen = 0;
  receiver.answer = ({ path, headers }, response) => {
    if (path === '/good') return response.writeHead(204).end();
    const id = `${path} ${String(headers['webhook-id'])}`;
    open.add(id);
    mostOpen = Math.max(mostOpen, open.size);
    return response.on('close', () => open.delete(id));
  };
  const server = await processes.start(env);
  await emit(EVENTS);
  await until(() => open.size >= HANGING, { withinMs: 20_000 });
  const during = await requestsWhileHanging(server, key.secret, REQUESTS, () => open.size > 0);
  // A request that hangs holds no transaction, and no row.
  expect(during).toEqual({ answered: REQUESTS, inTransaction: 0 });
  expect(mostOpen).toBeLessThanOrEqual(HANGING * 4);
  await until(() => countInOrder(receiver.of('/good')) === EVENTS, { withinMs: 120_000 });

  const [left] = await gatehouse.database.query(
    `SELECT count(*)::int AS pending FROM webhook_deliveries WHERE state = 'pending'`,
  );
  expect(left).toEqual({ pending: HANGING * EVENTS });
}, 300_000);

/** Sends requests one after the other, and counts those that were answered while others hung all the time. */
async function requestsWhileHanging(
  server: ServerProcess,
  key: string,
  count: number,
  isHanging: () => boolean,
) {
  let answered = 0;
  let inTransaction = 0;
  while (answered < count) {
    await until(isHanging, { withinMs: 20_000 });
    const { status } = await server.send('GET', '/api/v1/me', { key });
    if (status !== 200) throw new Error(`it was answered ${status}`);
    if (isHanging()) answered += 1;
    if (answered % 100 !== 0) continue;
    // A second is longer than any statement of a delivery takes.
    const [row] = await gatehouse.database.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database()
         AND state LIKE 'idle in transaction%' AND state_change < clock_timestamp() - interval '1 second'`,
    );
    inTransaction += row?.count ?? 0;
  }
  return { answered, inTransaction };
}

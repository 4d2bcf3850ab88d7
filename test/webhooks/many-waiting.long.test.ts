import { afterAll, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';

import { createDueStore } from '../../src/webhooks/due-store.js';
import { cleanDeliveries } from '../../src/webhooks/index.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createOperatorKey, operatorSender } from '../support/app/operator.js';
import { scansOf } from '../support/database/plans.js';
import { expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import {
  createReceiver,
  createTestDelivery,
  type Receiver,
} from '../support/app/webhook-receiver.js';

const LIMIT = 10_000;

const gatehouse = useGatehouse({ OUTBOUND_ALLOW_LOOPBACK: 'true' });
let tenant: Tenant;
let receiver: Receiver;
let send: ReturnType<typeof operatorSender>;
let replica: ReturnType<typeof createTestDelivery>;
let id: string;
beforeAll(async () => {
  tenant = await gatehouse.createTenant('acme');
  receiver = await createReceiver();
  send = operatorSender(gatehouse, await createOperatorKey(gatehouse));
  replica = createTestDelivery(gatehouse);
});
beforeEach(async () => {
  await gatehouse.database.query('DELETE FROM webhooks; DELETE FROM webhook_deliveries');
  const { body } = await send('post', 'webhooks', { url: receiver.url(), types: ['test.*'] });
  id = body.data.id as string;
});
afterAll(() => receiver.close());

/** Adds deliveries that wait, each of another subject. */
const fill = (count: number) =>
  gatehouse.database.query(
    `INSERT INTO webhook_deliveries (webhook_id, event_id, event_at, type, subject)
     SELECT '${id}', n, '2020-01-01', 'test.noted', 'many-' || n FROM generate_series(1, ${count}) n`,
  );
async function waiting(): Promise<number | undefined> {
  const [row] = await gatehouse.database.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM webhook_deliveries
     WHERE webhook_id = '${id}' AND state = 'pending'`,
  );
  return row?.count;
}
const enable = (enabled: boolean) => send('patch', `webhooks/${id}`, { enabled });

it('is sent no more tests and repetitions than a number, however often they are asked for', async () => {
  await fill(LIMIT);
  await send('post', `webhooks/${id}/test`).expect(201);
  const since = new Date().toISOString();
  for (let round = 0; round < 3; round += 1) {
    expectProblem(await send('post', `webhooks/${id}/test`), 409, 'conflict');
    const [answer] = await Promise.all([
      send('post', `webhooks/${id}/redeliveries`, { since }),
      send('post', `webhooks/${id}/redeliveries`, { since }),
    ]);
    expectProblem(answer, 409, 'conflict');
  }
  expect(await waiting()).toBe(LIMIT + 1);
});

it('is counted exactly while requests race', async () => {
  await fill(LIMIT - 4);
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => send('post', `webhooks/${id}/test`)),
  );
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(5);
  expect(await waiting()).toBe(LIMIT + 1);
});

it('is disabled although many deliveries wait, and enabled when they are canceled', async () => {
  await fill(2 * LIMIT + 1);
  await enable(false).expect(200);
  expect(await waiting()).toBe(LIMIT + 1);
  const { body } = await send('get', `webhooks/${id}/deliveries`);
  expect(body.data[0]).toMatchObject({ state: 'canceled', nextAttemptAt: null });
  await replica.deliver();
  expect(receiver.received).toEqual([]);
  expectProblem(await enable(true), 409, 'conflict');
  await cleanDeliveries(gatehouse.dataSource.manager);
  expect(await waiting()).toBe(0);
  await enable(true).expect(200);
  await gatehouse.database.query(
    `INSERT INTO audit_log (tenant_id, action, subject, actor) VALUES ($1, 'test.noted', 'later', 'operator')`,
    [tenant.id],
  );
  await replica.deliver();
  expect(receiver.received.map(({ event }) => event.subject)).toEqual(['later']);
});

/** The statements of a round, which are not executed. */
async function statementsOfARound(seq: string) {
  const { manager } = gatehouse.dataSource;
  const query = jest.spyOn(manager, 'query').mockResolvedValue([[], 0]);
  try {
    const store = createDueStore(manager);
    const claim = {
      id,
      url: '',
      tenantId: null,
      failures: 0,
      lease: '',
      ciphertext: Buffer.of(),
      keyId: '',
    };
    await store.putOffFollowers(claim);
    await store.due(claim);
    await store.noteSuccess(claim, seq, { status: 204, fault: undefined, durationMs: 1 });
    await store.cancelGone(claim, seq);
    return query.mock.calls.map(([text, values]) => ({
      name: '',
      text,
      values: Array.isArray(values) ? values : [],
    }));
  } finally {
    query.mockRestore();
  }
}

it('is looked at by a bounded number of rows, with statistics of one subject and many of others', async () => {
  const add = (count: number, subject: string, dueAt: string) =>
    gatehouse.database.query(
      `INSERT INTO webhook_deliveries (webhook_id, event_id, event_at, type, subject, due_at)
       SELECT '${id}', n, '2020-01-01', 'test.noted', ${subject}, ${dueAt} FROM generate_series(1, ${count}) n`,
    );
  await add(100_000, `'same'`, `gatehouse_now() + interval '1 hour'`);
  await gatehouse.database.query('ANALYZE webhook_deliveries');
  await add(500, `'other-' || n`, 'gatehouse_now()');
  const [last] = await gatehouse.database.query<{ seq: string }>(
    'SELECT max(seq) AS seq FROM webhook_deliveries',
  );
  const statements = await statementsOfARound(last?.seq ?? '');
  expect(statements).toHaveLength(4);
  for (const statement of statements) {
    const scans = await scansOf(gatehouse.database, statement);
    const rows = scans
      .filter(({ of }) => of.startsWith('webhook_deliveries'))
      .map((scan) => scan.rows);
    // 100 subjects with up to 100 deliveries each, and 1,000 that are examined.
    expect(Math.max(...rows)).toBeLessThanOrEqual(10_000);
  }
}, 60_000);

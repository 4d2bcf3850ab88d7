import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';
import { Webhook } from 'standardwebhooks';

import { createOutbound } from '../../src/outbound/index.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import { createOperatorKey, operatorSender } from '../support/app/operator.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { whenSettled } from '../support/app/settled.js';
import {
  createReceiver,
  createTestDelivery,
  type Received,
  type Receiver,
} from '../support/app/webhook-receiver.js';

const gatehouse = useGatehouse({ OUTBOUND_ALLOW_LOOPBACK: 'true' });
let tenant: Tenant;
let other: Tenant;
let receiver: Receiver;
let send: ReturnType<typeof operatorSender>;
let replica: ReturnType<typeof createTestDelivery>;
let second: ReturnType<typeof createTestDelivery>;

beforeAll(async () => {
  tenant = await gatehouse.createTenant('acme');
  other = await gatehouse.createTenant('other');
  receiver = await createReceiver();
  send = operatorSender(gatehouse, await createOperatorKey(gatehouse));
  const outbound = createOutbound({
    register: new Registry(),
    isLoopbackAllowed: true,
    timeoutMs: 1000,
  });
  replica = createTestDelivery(gatehouse, { outbound });
  second = createTestDelivery(gatehouse, { outbound });
});
afterAll(async () => {
  receiver.close();
});
afterEach(async () => {
  receiver.received.length = 0;
  receiver.answer = undefined;
  await gatehouse.database.query('DELETE FROM webhooks; DELETE FROM webhook_deliveries');
  await gatehouse.database.shiftClock('0 seconds');
});

async function create(path: string, fields: object = {}) {
  const { body, status } = await send('post', 'webhooks', {
    url: receiver.url(path),
    types: ['test.*'],
    ...fields,
  });
  expect([status, body.detail]).toEqual([201, undefined]);
  return body.data as { id: string; secret: string };
}

const emit = (subject: string, type = 'test.noted', tenantId = tenant.id) =>
  gatehouse.database.query(
    `INSERT INTO audit_log (tenant_id, action, subject, actor) VALUES ($1, $2, $3, 'operator')`,
    [tenantId, type, subject],
  );
const log = async (id: string) => (await send('get', `webhooks/${id}/deliveries`)).body.data;
const show = async (id: string) => (await send('get', `webhooks/${id}`)).body.data;
const subjects = (messages: readonly Received[]) => messages.map(({ event }) => event.subject);

describe('a webhook', () => {
  it('gets the events of its types and tenant, signed as Standard Webhooks says', async () => {
    const { id, secret } = await create('/own', { tenantId: 'acme' });
    await create('/all', { types: ['*'] });
    await emit('one');
    await emit('two', 'other.noted');
    await emit('three', 'test.noted', other.id);
    await Promise.all([replica.deliver(), second.deliver()]);
    expect(subjects(receiver.of('/own'))).toEqual(['one']);
    expect(subjects(receiver.of('/all'))).toEqual(expect.arrayContaining(['one', 'two', 'three']));
    const [message] = receiver.of('/own');
    const headers = message?.headers as Record<string, string>;
    expect(new Webhook(secret).verify(message?.body ?? '', headers)).toEqual(message?.event);
    expect(headers['webhook-id']).toBe(message?.event.id);
    expect(() => new Webhook(secret).verify(`${message?.body} `, headers)).toThrow('signature');
    await whenSettled(gatehouse.database);
    const feed = await send('get', `events?types=test.noted&tenantId=acme`);
    expect(feed.body.data.at(-1)).toEqual(message?.event);
    expect(await log(id)).toEqual([
      {
        id: expect.stringMatching(/^dlv_\d+$/),
        eventId: message?.event.id,
        type: 'test.noted',
        subject: 'one',
        state: 'delivered',
        attempts: 1,
        lastAttemptAt: expect.any(String),
        nextAttemptAt: null,
        status: 204,
        fault: null,
        durationMs: expect.any(Number),
        createdAt: expect.any(String),
      },
    ]);
    // The secret is encrypted, shown once, and never recorded.
    expect(await gatehouse.database.dump()).not.toContain(secret.slice(6));
    expect(JSON.stringify([await show(id), feed.body])).not.toContain(secret.slice(6));
  });

  it('gets the events of a subject in order, although the receiver fails, and others meanwhile', async () => {
    const { id } = await create('/order');
    let refusals = 2;
    receiver.answer = ({ event }, response) => {
      const isRefused = event.subject === 'bad' && refusals > 0;
      if (isRefused) refusals -= 1;
      response.writeHead(isRefused ? 500 : 200).end();
    };
    for (let round = 0; round < 3; round += 1) {
      await emit('bad', `test.round_${'abc'[round]}`);
      await emit(`good${round}`);
    }
    await replica.deliver();
    expect(subjects(receiver.received).toSorted()).toEqual(['bad', 'good0', 'good1', 'good2']);
    for (const clock of ['10 seconds', '60 seconds']) {
      await gatehouse.database.shiftClock(clock);
      await replica.deliver();
    }
    const got = receiver.received.filter(({ event }) => event.subject === 'bad');
    const types = got.map(({ event }) => event.type);
    const [first, next, last] = ['test.round_a', 'test.round_b', 'test.round_c'];
    expect(types).toEqual([first, first, first, next, last]);
    // A repetition has the same id.
    expect(got[0]?.headers['webhook-id']).toBe(got[2]?.headers['webhook-id']);
    const states = (await log(id)) as { state: string }[];
    expect(new Set(states.map(({ state }) => state))).toEqual(new Set(['delivered']));
  });

  it('that hangs, redirects, or answers slowly and endlessly is not waited for', async () => {
    const faults = ['/hang', '/redirect', '/endless', '/reset'] as const;
    const made = await Promise.all(faults.map((path) => create(path)));
    const good = await create('/good');
    receiver.answer = ({ path }, response) => {
      if (path === '/good') response.writeHead(204).end();
      if (path === '/redirect') response.writeHead(307, { Location: receiver.url('/good') }).end();
      if (path === '/reset') response.destroy();
      if (path === '/endless') {
        response.writeHead(200);
        const timer = setInterval(() => response.write('x'.repeat(1000)), 5);
        response.on('close', () => clearInterval(timer));
      }
    };
    await emit('one');
    const before = performance.now();
    await replica.deliver();
    expect(performance.now() - before).toBeLessThan(3000);
    expect(subjects(receiver.of('/good'))).toEqual(['one']);
    const outcomes = await Promise.all(
      made.map(async ({ id }) => {
        const [{ status, fault }] = (await log(id)) as [{ status: number; fault: string }];
        return { status, fault };
      }),
    );
    expect(outcomes).toEqual([
      { status: null, fault: 'timeout' },
      { status: 307, fault: 'redirect' },
      // The body of an answer is not read.
      { status: 200, fault: null },
      { status: null, fault: 'connection' },
    ]);
    expect((await log(good.id))[0]).toMatchObject({ state: 'delivered' });
  });

  it('is disabled by 410 at once, and after three days of failures, with an event', async () => {
    const gone = await create('/gone');
    const failing = await create('/failing');
    const watcher = await create('/watcher', { types: ['webhook.disable'] });
    receiver.answer = ({ path }, response) => {
      response.writeHead({ '/gone': 410, '/failing': 503 }[path] ?? 204).end();
    };
    await emit('one');
    await replica.deliver();
    expect(await show(gone.id)).toMatchObject({ enabled: false, disabledReason: 'gone' });
    expect(await show(failing.id)).toMatchObject({ enabled: true });
    await gatehouse.database.shiftClock('2 days');
    await replica.deliver();
    expect(await show(failing.id)).toMatchObject({ enabled: true });
    await gatehouse.database.shiftClock('73 hours');
    await emit('two');
    await replica.deliver();
    expect(await show(failing.id)).toMatchObject({ enabled: false, disabledReason: 'failing' });
    const told = receiver.of('/watcher').map(({ event }) => event);
    expect(told).toMatchObject([
      { subject: gone.id, actor: 'system', details: { reason: 'gone' } },
      { subject: failing.id, actor: 'system', details: { reason: 'failing' } },
    ]);
    expect(watcher.id).not.toBe(failing.id);

    receiver.answer = undefined;
    receiver.received.length = 0;
    expectProblem(await send('post', `webhooks/${gone.id}/test`), 409, 'conflict');
    expect((await send('patch', `webhooks/${gone.id}`, { enabled: true })).status).toBe(200);
    await emit('three');
    await replica.deliver();
    // Events of the time in which it was disabled are not sent by themselves.
    expect(subjects(receiver.of('/gone'))).toEqual(['three']);
  });

  it('signs with both secrets after a rotation, until the former one ends', async () => {
    const { id, secret: former } = await create('/rotated');
    const rotated = await send('post', `webhooks/${id}/rotate`, { graceSeconds: 3600 });
    const latter = rotated.body.data.secret as string;
    expect(latter).toMatch(/^whsec_/);
    await send('post', `webhooks/${id}/test`).expect(201);
    await replica.deliver();
    const [message] = receiver.of('/rotated');
    expect(message?.event).toMatchObject({ type: 'webhook.test', subject: id });
    const headers = message?.headers as Record<string, string>;
    for (const secret of [former, latter]) {
      expect(new Webhook(secret).verify(message?.body ?? '', headers)).toBeDefined();
    }
    await send('post', `webhooks/${id}/rotate`, { graceSeconds: 0 }).expect(201);
    await send('post', `webhooks/${id}/test`).expect(201);
    await replica.deliver();
    const after = receiver.of('/rotated').at(-1);
    for (const secret of [former, latter]) {
      const verify = () =>
        new Webhook(secret).verify(after?.body ?? '', after?.headers as Record<string, string>);
      expect(verify).toThrow('signature');
    }
  });

  it('gets an event again, or the events since a time', async () => {
    const { id } = await create('/again');
    const since = new Date(Date.now() - 1000).toISOString();
    await emit('again-1');
    await emit('again-2');
    await replica.deliver();
    const deliveries = (await log(id)) as { id: string; subject: string }[];
    const deliveryId = deliveries.find(({ subject }) => subject === 'again-1')?.id;
    const repeat = (body: object) => send('post', `webhooks/${id}/redeliveries`, body);
    expect((await repeat({ deliveryId })).body.data).toEqual({ count: 1, until: null });
    await replica.deliver();
    const { count } = (await repeat({ since })).body.data;
    expect(count).toBeGreaterThanOrEqual(2);
    await replica.deliver();
    const again = subjects(receiver.received).filter((subject) => subject.startsWith('again'));
    expect(again.toSorted()).toEqual([...Array(3).fill('again-1'), 'again-2', 'again-2']);
    expectProblem(await repeat({ deliveryId: 'dlv_999999' }), 404, 'not_found');
    expectProblem(await repeat({ deliveryId: 'x' }), 404, 'not_found');
    expectInvalid(await repeat({ since, deliveryId }), ['deliveryId']);
    for (const wrong of ['yesterday', '0000-01-01T00:00:00Z', '9999-12-31T23:59:59-23:59']) {
      expectInvalid(await repeat({ since: wrong }), ['since']);
    }
    expect((await repeat({ since: since.replace('Z', '+23:59') })).status).toBe(201);
  });

  it('does not look at what waits behind a failed delivery, again and again', async () => {
    const { id } = await create('/blocked');
    const count = async (condition: string) => {
      const [row] = await gatehouse.database.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM webhook_deliveries WHERE webhook_id = '${id}' AND ${condition}`,
      );
      return row?.count;
    };
    let isRefusing = true;
    receiver.answer = ({ event }, response) => {
      response.writeHead(isRefusing && event.subject === 'blocked' ? 500 : 204).end();
    };
    await emit('blocked', 'test.first');
    await emit('free');
    await replica.deliver();
    await gatehouse.database.query(
      `INSERT INTO webhook_deliveries (webhook_id, event_id, event_at, type, subject)
       SELECT webhook_id, event_id, event_at, type, subject FROM webhook_deliveries, generate_series(1, 2500)
       WHERE subject = 'blocked'`,
    );
    await emit('free');
    await replica.deliver();
    expect(subjects(receiver.received).toSorted()).toEqual(['blocked', 'free', 'free']);
    expect(await count('due_at <= gatehouse_now() AND state = $$pending$$')).toBe(0);
    await gatehouse.database.query(
      `DELETE FROM webhook_deliveries WHERE seq > (SELECT min(seq) + 40 FROM webhook_deliveries)`,
    );
    // After the end of a pause, everything follows the first one at once.
    isRefusing = false;
    await send('post', `webhooks/${id}/test`).expect(201);
    await replica.deliver();
    expect(await count(`state = 'pending'`)).toBe(0);
    expect(await count('attempts = 2')).toBe(1);
  });

  it('does not fail because an event is not kept any more', async () => {
    const { id } = await create('/kept');
    await gatehouse.database.query(
      `INSERT INTO webhook_deliveries (webhook_id, event_id, event_at, type, subject)
       SELECT '${id}', 0, '2020-01-01', 'test.noted', 'kept' FROM generate_series(1, 5)`,
    );
    await emit('kept');
    await replica.deliver();
    expect(subjects(receiver.of('/kept'))).toEqual(['kept']);
    const [newest, ...older] = await log(id);
    expect(newest).toMatchObject({ state: 'delivered' });
    expect(older).toHaveLength(5);
    for (const each of older) expect(each).toMatchObject({ state: 'canceled', fault: 'gone' });
  });

  it('frees a webhook whose secrets cannot be read', async () => {
    const { id } = await create('/sealed');
    await gatehouse.database.query(`UPDATE webhooks SET ciphertext = '\\x00' WHERE id = '${id}'`);
    await emit('one');
    await replica.deliver();
    expect(await gatehouse.database.query('SELECT lease FROM webhooks')).toEqual([{ lease: null }]);
  });

  it('is delivered to again when a process ended in the middle', async () => {
    const { id } = await create('/crash');
    await emit('one');
    // The process ends after the receiver got the event, before that is written.
    const ending = new AbortController();
    receiver.answer = () => ending.abort();
    await createTestDelivery(gatehouse, { signal: ending.signal }).deliver();
    await gatehouse.database.query(
      `UPDATE webhooks SET lease = 'of a dead process', lease_until = now() + interval '20 seconds'`,
    );
    receiver.answer = undefined;
    expect((await log(id))[0]).toMatchObject({ state: 'pending', attempts: 0 });
    await second.deliver();
    expect(receiver.received).toHaveLength(1);
    await gatehouse.database.shiftClock('21 seconds');
    await second.deliver();
    expect(subjects(receiver.received)).toEqual(['one', 'one']);
    expect((await log(id))[0]).toMatchObject({ state: 'delivered' });
  });

  it('is refused for URLs that are not public, unknown types and tenants, and beyond a number', async () => {
    const refuse = (fields: object) =>
      send('post', 'webhooks', { url: 'https://a.example', ...fields });
    for (const url of [
      'http://a.example',
      'https://10.0.0.1',
      'https://u:p@a.example',
      'ftp://a.example',
      'x',
    ]) {
      expectInvalid(await refuse({ url }), ['url']);
    }
    expectInvalid(await refuse({ types: [] }), ['types']);
    expectInvalid(await refuse({ types: ['DROP'] }), ['types.0']);
    for (const tenantId of ['tnt_none', 'a\0b', '\ud800']) {
      expectProblem(await refuse({ tenantId }), 404, 'not_found');
    }
    for (const path of ['webhooks?tenantId=a%00b', 'events?tenantId=a%00b', 'webhooks/a%00b']) {
      expectProblem(await send('get', path), 404, 'not_found');
    }
    const made = await Promise.all(
      Array.from({ length: 23 }, () => refuse({ tenantId: tenant.id })),
    );
    expect(made.filter(({ status }) => status === 201)).toHaveLength(20);
    expect(made.filter(({ status }) => status === 409)).toHaveLength(3);
    const id = made.find(({ status }) => status === 201)?.body.data.id as string;
    expectInvalid(await send('patch', `webhooks/${id}`, { url: 'https://192.168.0.1' }), ['url']);
    const listed = await send('get', `webhooks?tenantId=${other.slug}`);
    expect(listed.body.data).toEqual([]);
    expect((await send('delete', `webhooks/${id}`)).status).toBe(204);
    expectProblem(await send('get', `webhooks/${id}`), 404, 'not_found');
  });
});

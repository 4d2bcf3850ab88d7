import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';

import { runCleanup } from '../../src/server/cleanup.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createOperatorKey, operatorSender } from '../support/app/operator.js';
import { expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import {
  createReceiver,
  createTestDelivery,
  type Receiver,
} from '../support/app/webhook-receiver.js';

const gatehouse = useGatehouse({ OUTBOUND_ALLOW_LOOPBACK: 'true' });
let tenant: Tenant;
let receiver: Receiver;
let send: ReturnType<typeof operatorSender>;
let replica: ReturnType<typeof createTestDelivery>;
beforeAll(async () => {
  tenant = await gatehouse.createTenant('acme');
  receiver = await createReceiver();
  send = operatorSender(gatehouse, await createOperatorKey(gatehouse));
  replica = createTestDelivery(gatehouse);
});
afterAll(() => receiver.close());

async function create(path: string): Promise<string> {
  receiver.answer = undefined;
  const fields = { url: receiver.url(path), types: ['test.*'] };
  const { body } = await send('post', 'webhooks', fields);
  return body.data.id as string;
}

const emit = (subject: string) =>
  gatehouse.database.query(
    `INSERT INTO audit_log (tenant_id, action, subject, actor) VALUES ($1, 'test.noted', $2, 'operator')`,
    [tenant.id, subject],
  );
async function deliver(): Promise<void> {
  await replica.deliver();
  await gatehouse.database.shiftClock('10 seconds');
  await replica.deliver();
  await gatehouse.database.shiftClock('0 seconds');
}

describe('a webhook that is changed while it is delivered to', () => {
  it('gets nothing more at a URL that was changed meanwhile', async () => {
    const id = await create('/former');
    const changed: unknown[] = [];
    receiver.answer = ({ path }, response) => {
      if (path === '/latter') response.writeHead(204).end();
      else {
        send('patch', `webhooks/${id}`, { url: receiver.url('/latter') }).then(
          ({ status }) => {
            changed.push(status);
            response.writeHead(410).end();
          },
          (error: unknown) => changed.push(error),
        );
      }
    };
    for (let event = 0; event < 3; event += 1) await emit('moved');
    await deliver();
    expect(changed).toEqual([200]);
    expect(receiver.of('/former')).toHaveLength(1);
    expect(receiver.of('/latter')).toHaveLength(3);
    expect((await send('get', `webhooks/${id}`)).body.data).toMatchObject({ enabled: true });
  });

  it('signs with the new secret as soon as it is rotated, also in the middle of a delivery', async () => {
    const id = await create('/rotated-meanwhile');
    let latter = '';
    receiver.answer = (_message, response) => {
      const rotated =
        latter === '' ? send('post', `webhooks/${id}/rotate`, { graceSeconds: 0 }) : undefined;
      void Promise.resolve(rotated).then((answer) => {
        latter ||= answer?.body.data.secret as string;
        response.writeHead(204).end();
      });
    };
    for (let event = 0; event < 3; event += 1) await emit('rotated');
    await deliver();
    const messages = receiver.of('/rotated-meanwhile');
    expect(messages).toHaveLength(3);
    for (const { body, headers } of messages.slice(1)) {
      const verified = new Webhook(latter).verify(body, headers as Record<string, string>);
      expect(verified).toBeDefined();
    }
  });

  it('is removed at once, and its deliveries by cleanup, those of others not', async () => {
    const id = await create('/removed');
    const kept = await create('/kept');
    await emit('removed');
    await replica.deliver();
    await gatehouse.database.query(
      `INSERT INTO webhook_deliveries (webhook_id, event_id, event_at, type, subject)
       SELECT webhook_id, event_id, event_at, type, subject FROM webhook_deliveries, generate_series(1, 2500)
       WHERE webhook_id = '${id}'`,
    );
    const count = async () => {
      const [row] = await gatehouse.database.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM webhook_deliveries WHERE webhook_id = '${id}'`,
      );
      return row?.count;
    };
    expect((await send('delete', `webhooks/${id}`)).status).toBe(204);
    expectProblem(await send('get', `webhooks/${id}/deliveries`), 404, 'not_found');
    // Removing it does not wait for its log to be deleted.
    expect(await count()).toBe(2501);
    const sent = receiver.received.length;
    await replica.deliver();
    expect(receiver.received).toHaveLength(sent);
    await runCleanup(gatehouse.dataSource, new AbortController().signal);
    expect(await count()).toBe(0);
    const { body } = await send('get', `webhooks/${kept}/deliveries`);
    expect(body.data).toHaveLength(1);
  });
});

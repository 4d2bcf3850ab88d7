import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';

import type { TestApp, TestKey } from './app.js';
import { until } from './until.js';

const BODY = JSON.stringify({ lastName: 'Late', type: 'other' });

/** Sends the head of a request, by default for a new contact, and its first byte. Waits until the guard has admitted it. */
export async function openRequest(
  gatehouse: TestApp,
  { bearer }: Pick<TestKey, 'bearer'>,
  { path = '/api/v1/contacts', body = BODY } = {},
): Promise<ClientRequest> {
  const before = await acceptedBy(gatehouse);
  const sent = request(gatehouse.origin + path, {
    method: 'POST',
    headers: { ...bearer, 'Content-Type': 'application/json', 'Content-Length': body.length },
  });
  sent.write(body.slice(0, 1));
  await until(async () => (await acceptedBy(gatehouse)) > before);
  return sent;
}

/** Sends the rest. @returns the status of the answer */
export async function finishRequest(sent: ClientRequest, body = BODY): Promise<number | undefined> {
  sent.end(body.slice(1));
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  answer.resume();
  return answer.statusCode;
}

async function acceptedBy({ register }: TestApp): Promise<number> {
  const metric = await register.getSingleMetric('gatehouse_verdicts_total')?.get();
  return metric?.values.find(({ labels }) => labels['verdict'] === 'accepted')?.value ?? 0;
}

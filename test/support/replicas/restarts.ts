import { expect } from '@jest/globals';

import { keyInGreeting, type ServerProcess } from '../process/server-process.js';
import {
  findWrong,
  isRight,
  isUnavailable,
  startTraffic,
  type Errand,
  type Outcome,
} from '../faults/traffic.js';
import { until } from '../app/until.js';

export const RECOVERS_WITHIN_MS = 2000;
/** More workers than the server has connections. */
const WORKERS_EACH = 6;

/** Expects that a server under load answers nothing wrong while its database restarts, and recovers soon afterwards. */
export async function expectRecovery(
  server: ServerProcess,
  errands: readonly Errand[],
  restart: () => Promise<void>,
): Promise<void> {
  const traffic = startTraffic(server, errands, WORKERS_EACH);
  await until(() => rightOnes(traffic.outcomes, 0).size === errands.length);
  await restart();
  const back = performance.now();
  await until(() => rightOnes(traffic.outcomes, back).size === errands.length);
  const recovered = performance.now();
  await until(() => answeredSince(traffic.outcomes, recovered).length >= 200);
  await traffic.stop();

  expect(findWrong(traffic.outcomes)).toEqual([]);
  expect(traffic.outcomes.some(isUnavailable)).toBe(true);
  expect(recovered - back).toBeLessThan(RECOVERS_WITHIN_MS);
  const late = answeredSince(traffic.outcomes, back + RECOVERS_WITHIN_MS);
  expect(late.filter((outcome) => !isRight(outcome))).toEqual([]);
}

/** Requests of every sort: what is right must stay right, and what is refused must stay refused. */
export async function prepareErrands(server: ServerProcess): Promise<readonly Errand[]> {
  const admin = keyInGreeting(server);
  const revoked = await server.send('POST', '/api/v1/api-keys', {
    key: admin,
    body: { name: 'Revoked', scopes: ['contacts:read'] },
  });
  const { id = '', key = '' } = revoked.json.data ?? {};
  await server.send('DELETE', `/api/v1/api-keys/${id}`, { key: admin });
  const errand = {
    method: 'GET',
    path: '/api/v1/me',
    options: { key: admin },
    status: 200,
  } as const;
  const body = { type: 'customer' };
  return [
    { ...errand, name: 'a good key' },
    { ...errand, name: 'a revoked key', options: { key }, status: 401 },
    { ...errand, name: 'a list', path: '/api/v1/contacts' },
    {
      name: 'a new contact',
      method: 'POST',
      path: '/api/v1/contacts',
      options: { key: admin, body },
      status: 201,
    },
  ];
}

function answeredSince(outcomes: readonly Outcome[], time: number): Outcome[] {
  return outcomes.filter(({ sentAt }) => sentAt >= time);
}

/** Which errands went right since then. */
function rightOnes(outcomes: readonly Outcome[], since: number): Set<string> {
  return new Set(
    answeredSince(outcomes, since)
      .filter(isRight)
      .map(({ errand }) => errand.name),
  );
}

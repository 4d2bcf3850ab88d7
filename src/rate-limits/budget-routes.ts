import type { IncomingMessage } from 'node:http';
import { z } from 'zod';

import { guardedRoute, type GuardedRoute } from '../credentials/index.js';
import { dataOf } from '../http/answers.js';
import { sendData } from '../http/envelope.js';
import { COST } from '../http/route-declaration.js';
import type { Budgets } from './budgets.js';

const count = z.int().min(0);

/** `limit` and `remaining` are `null` without a limit. */
const usage = z.strictObject({
  limit: count.nullable(),
  used: count,
  remaining: count.nullable(),
  resetSeconds: count,
  windowSeconds: count,
});

/** The usage of the budgets of one credential, as JSON. */
export const usageAnswer = z.strictObject({
  tenant: usage,
  apiKey: usage.nullable(),
  share: usage.optional(),
});

/** `/usage`: the usage of the budgets on which the presented credential counts. */
export function createUsageRoutes({
  budgets,
  now,
  clientAddress,
}: {
  budgets: Budgets;
  now: () => number;
  clientAddress: (request: IncomingMessage) => string;
}): GuardedRoute[] {
  return [
    guardedRoute({
      method: 'GET',
      path: '/usage',
      summary: 'Show the usage of the budgets on which the credential counts',
      cost: COST.read,
      answers: { 200: dataOf(usageAnswer) },
      access: {
        scopes: ['audit:read'],
        principals: ['tenant', 'user', 'service', 'agent'],
        sessions: true,
      },
      handle(ctx) {
        const { principal } = ctx.state;
        sendData(
          ctx,
          budgets.usageOf(principal, () => clientAddress(ctx.req), now()),
        );
      },
    }),
  ];
}

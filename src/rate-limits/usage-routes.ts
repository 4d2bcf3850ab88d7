import type { IncomingMessage } from 'node:http';

import type { Budgets } from './budgets.js';
import type { Access, GuardedState } from '../credentials/index.js';
import { sendData } from '../http/envelope.js';
import type { Route } from '../http/routes.js';

/** `/usage`: the usage of the budgets on which the presented credential counts. */
export function createUsageRoutes({
  budgets,
  now,
  clientAddress,
}: {
  budgets: Budgets;
  now: () => number;
  clientAddress: (request: IncomingMessage) => string;
}): Route<Access, GuardedState>[] {
  return [
    {
      method: 'GET',
      path: '/usage',
      access: { scopes: ['audit:read'], principals: ['tenant', 'user', 'service', 'agent'] },
      handle(ctx) {
        const { principal } = ctx.state;
        sendData(
          ctx,
          budgets.usageOf(principal, () => clientAddress(ctx.req), now()),
        );
      },
    },
  ];
}

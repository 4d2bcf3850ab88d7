import type { Budgets } from './budgets.js';
import type { Access, GuardedState } from '../credentials/index.js';
import { sendData } from '../http/envelope.js';
import type { Route } from '../http/routes.js';

/** `/usage`: the usage of the budgets on which the presented credential counts. */
export function createUsageRoutes({
  budgets,
  now,
}: {
  budgets: Budgets;
  now: () => number;
}): Route<Access, GuardedState>[] {
  return [
    {
      method: 'GET',
      path: '/usage',
      access: { scopes: ['audit:read'], principals: ['tenant', 'user', 'service', 'agent'] },
      handle: (ctx) => sendData(ctx, budgets.usageOf(ctx.state.principal, ctx.req, now())),
    },
  ];
}

import { z } from 'zod';

import { sessionRoute, type SessionRoute } from '../credentials/index.js';
import { dataOf } from '../http/answers.js';
import { sendData } from '../http/envelope.js';
import { Problem } from '../http/errors/problem.js';
import { COST } from '../http/route-declaration.js';
import type { ConsoleAccounts } from './visitor.js';

const sessionAnswer = z.strictObject({
  accountId: z.string(),
  email: z.string(),
  name: z.string().nullable(),
  tenants: z.array(
    z.strictObject({
      id: z.string(),
      slug: z.string(),
      name: z.string(),
      role: z.string(),
    }),
  ),
});

/** `/session`: the signed-in account and its memberships. */
export function createSessionRoutes({
  accounts,
}: {
  readonly accounts: ConsoleAccounts;
}): SessionRoute[] {
  return [
    sessionRoute({
      method: 'GET',
      path: '/session',
      summary: 'Show the signed-in account and its organizations',
      access: { session: 'account' },
      cost: COST.read,
      answers: { 200: dataOf(sessionAnswer) },
      async handle(ctx) {
        const { accountId } = ctx.state.signedIn;
        const account = await accounts.find(accountId);
        if (account === undefined) throw new Problem('not_found', 'Account not found.');
        const memberships = await accounts.membershipsOf(accountId);
        sendData(ctx, {
          accountId,
          email: account.email,
          name: account.name,
          tenants: memberships.map(({ tenantId, tenantSlug, tenantName, role }) => ({
            id: tenantId,
            slug: tenantSlug,
            name: tenantName,
            role,
          })),
        });
      },
    }),
  ];
}

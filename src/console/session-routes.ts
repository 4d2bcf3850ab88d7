import type { SessionAccess, SessionState } from '../credentials/index.js';
import { sendData } from '../http/envelope.js';
import { Problem } from '../http/errors/problem.js';
import type { Route } from '../http/routes.js';
import type { ConsoleAccounts } from './visitor.js';

/** `/session`: the signed-in account and its memberships. */
export function createSessionRoutes({
  accounts,
}: {
  readonly accounts: ConsoleAccounts;
}): Route<SessionAccess, SessionState>[] {
  return [
    {
      method: 'GET',
      path: '/session',
      access: { session: 'account' },
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
    },
  ];
}

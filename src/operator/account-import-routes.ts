import { z } from 'zod';

import {
  IMPORT_MODES,
  importAccounts,
  importedAccount,
  MAX_IMPORTED_ACCOUNTS,
} from '../accounts/index.js';
import { dataOf } from '../http/answers.js';
import { boundedList } from '../http/body/bounded.js';
import { sendData } from '../http/envelope.js';
import { COST } from '../http/route-declaration.js';
import { createSessionStore } from '../sessions/index.js';
import { operatorRoute, type OperatorRoute } from './operator-guard.js';
import type { RouteDependencies } from './route-dependencies.js';

const accountImport = z.strictObject({
  accounts: boundedList(MAX_IMPORTED_ACCOUNTS, importedAccount),
  /** `skip` leaves accounts that exist as they are. */
  mode: z.enum(IMPORT_MODES).default('skip'),
  dryRun: z.boolean().default(false),
});

/** In the order of the accounts. */
const importAnswer = z.strictObject({
  outcomes: z.array(
    z.union([
      z.strictObject({ outcome: z.enum(['created', 'updated', 'unchanged']) }),
      z.strictObject({ outcome: z.literal('refused'), reason: z.string() }),
    ]),
  ),
});

/** `/operator/accounts/imports` */
export function createAccountImportRoutes({ keyring }: RouteDependencies): OperatorRoute[] {
  return [
    operatorRoute({
      method: 'POST',
      path: '/operator/accounts/imports',
      summary: 'Import accounts of another system, with their password hashes and memberships',
      access: { operator: 'accounts:manage' },
      cost: COST.import,
      body: accountImport,
      answers: { 200: dataOf(importAnswer) },
      async handle(ctx, { body: { accounts, ...options } }) {
        const { manager, actor } = ctx.state;
        const sessions = createSessionStore(manager, keyring);
        const outcomes = await importAccounts(manager, actor, accounts, {
          ...options,
          endSessions: (_, ...which) => sessions.endAllOf(...which),
        });
        sendData(ctx, { outcomes });
      },
    }),
  ];
}

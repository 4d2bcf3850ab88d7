import type { EntityManager } from 'typeorm';

import { createAccountStore } from '../accounts/account-store.js';
import { createAuditLog, OPERATOR } from '../audit/audit-log.js';
import { createConsentStore } from '../grants/consent-store.js';
import { createGrantStore, type StoredGrant } from '../grants/grant-store.js';
import { Misuse, Refused, type Arguments, type Command } from './command.js';
import { getTenant } from './tenant-commands.js';

const WHOSE = {
  email: { type: 'string' },
  tenant: { type: 'string' },
  client: { type: 'string' },
} as const;

/** The grants of the account that is named, in one tenant or all, to one client or all. */
async function grantsOf(manager: EntityManager, args: Arguments): Promise<readonly StoredGrant[]> {
  const email = args.required('email');
  const account = await createAccountStore(manager).findByEmail(email);
  if (account === undefined) throw new Refused(`There is no account ${email}.`);
  const tenant = args.option('tenant');
  const tenantId = tenant === undefined ? null : (await getTenant(manager, tenant)).id;
  const grants = await createGrantStore(manager).listOfAccount(tenantId, account.id);
  const client = args.option('client');
  return client === undefined ? grants : grants.filter(({ clientId }) => clientId === client);
}

async function grantsMeant(
  manager: EntityManager,
  args: Arguments,
): Promise<readonly StoredGrant[]> {
  const [id] = args.positionals;
  if (id === undefined) {
    return (await grantsOf(manager, args)).filter(({ status }) => status === 'active');
  }
  if (args.option('email') !== undefined) throw new Misuse('Name a grant, or --email, not both.');
  const grant = await createGrantStore(manager).findAnywhere(id);
  if (grant === undefined) throw new Refused(`There is no grant ${id}.`);
  return [grant];
}

function present(grant: StoredGrant) {
  const { id, status, tenantId, accountId, clientId, clientName, scopes, createdAt } = grant;
  return { id, status, tenantId, accountId, clientId, clientName, scopes, createdAt };
}

export const GRANT_COMMANDS: readonly Command[] = [
  {
    name: 'grants list',
    usage: '--email EMAIL [--tenant TENANT] [--client CLIENT]',
    summary: 'Lists what a person has granted to apps, each installation by itself, newest first.',
    options: WHOSE,
    positionals: [0, 0],
    run: async ({ manager }, args) => (await grantsOf(manager, args)).map(present),
  },
  {
    name: 'grants revoke',
    usage: '<grant id> | --email EMAIL [--tenant TENANT] [--client CLIENT], [--reason TEXT]',
    summary: 'Ends a grant, or those of a person, with all tokens. The person is asked again.',
    options: { ...WHOSE, reason: { type: 'string' } },
    positionals: [0, 1],
    schema: 'any',
    question: (args) =>
      `Revoke ${args.positionals[0] ?? `the grants of ${args.option('email')}`}? None of its tokens ever works again.`,
    async run({ manager }, args) {
      const reason = args.option('reason') ?? null;
      const grants = await grantsMeant(manager, args);
      // In one order, so that two such commands cannot wait for each other.
      for (const grant of grants.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
        await createGrantStore(manager).revoke(grant.id, OPERATOR.id, reason);
        await createConsentStore(manager).forget(grant);
        await createAuditLog(manager).record(OPERATOR, {
          tenantId: grant.tenantId,
          action: 'grant.revoke',
          subject: grant.id,
          details: { clientId: grant.clientId, accountId: grant.accountId, reason },
        });
      }
      return grants.map((grant) => ({ ...present(grant), status: 'revoked', reason }));
    },
  },
];

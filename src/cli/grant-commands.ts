import type { EntityManager } from 'typeorm';

import { createAccountStore } from '../accounts/account-store.js';
import { createAuditLog, OPERATOR } from '../audit/audit-log.js';
import { createConsentStore } from '../grants/consent-store.js';
import { createGrantStore, type AccountGrants, type StoredGrant } from '../grants/grant-store.js';
import { Misuse, Refused, type Arguments, type Command } from './command.js';
import { listCommand, pageOf } from './listing.js';
import { getTenant } from './tenant-commands.js';

/** Grants that one call revokes: each takes locks until the end. */
const MAX_REVOKED = 10_000;

const WHOSE = {
  email: { type: 'string' },
  tenant: { type: 'string' },
  client: { type: 'string' },
} as const;

/** The grants that the options mean: those of an account, in one tenant or all, to one client or all. */
async function filterOf(manager: EntityManager, args: Arguments): Promise<AccountGrants> {
  const email = args.required('email');
  const account = await createAccountStore(manager).findByEmail(email);
  if (account === undefined) throw new Refused(`There is no account ${email}.`);
  const tenant = args.option('tenant');
  return {
    accountId: account.id,
    tenantId: tenant === undefined ? undefined : (await getTenant(manager, tenant)).id,
    clientId: args.option('client'),
  };
}

async function grantsMeant(
  manager: EntityManager,
  args: Arguments,
): Promise<readonly StoredGrant[]> {
  const [id] = args.positionals;
  const store = createGrantStore(manager);
  if (id === undefined) {
    const filter = await filterOf(manager, args);
    const found = await store.listOfAccount(filter, { limit: MAX_REVOKED + 1 });
    const active = found.filter(({ status }) => status === 'active');
    if (found.length <= MAX_REVOKED) return active;
    throw new Refused(
      `There are more than ${MAX_REVOKED} grants: name a --tenant or --client, or revoke the account.`,
    );
  }
  if (args.option('email') !== undefined) throw new Misuse('Name a grant, or --email, not both.');
  const grant = await store.findAnywhere(id);
  if (grant === undefined) throw new Refused(`There is no grant ${id}.`);
  return [grant];
}

function present(grant: StoredGrant) {
  const { id, status, tenantId, accountId, clientId, clientName, scopes, createdAt } = grant;
  return { id, status, tenantId, accountId, clientId, clientName, scopes, createdAt };
}

export const GRANT_COMMANDS: readonly Command[] = [
  listCommand({
    name: 'grants list',
    usage: '--email EMAIL [--tenant TENANT] [--client CLIENT]',
    summary: 'Lists what a person has granted to apps, each installation by itself, newest first.',
    options: WHOSE,
    async open({ manager }, args) {
      const filter = await filterOf(manager, args);
      const store = createGrantStore(manager);
      return {
        async read({ limit, after }: { limit: number; after: number | undefined }) {
          const found = await store.listOfAccount(filter, { limit: limit + 1, after });
          return pageOf(found, limit, ({ issueSeq }) => Number(issueSeq));
        },
        present,
      };
    },
  }),
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

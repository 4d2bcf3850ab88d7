import type { EntityManager } from 'typeorm';

import { createAuditLog, OPERATOR } from '../../audit/audit-log.js';
import { createConsentStore } from '../../grants/consent-store.js';
import {
  createGrantStore,
  type AccountGrants,
  type StoredGrant,
} from '../../grants/grant-store.js';
import type { CommandContext } from '../command.js';
import { Refused } from '../errors.js';
import { pageOf, type OpenList } from '../listing.js';
import { getAccount } from './accounts.js';
import { getTenant } from './tenants.js';

/** Grants that one call revokes: each takes locks until the end. */
const MAX_REVOKED = 10_000;

interface FilterValues {
  readonly email: string;
  readonly tenant: string | undefined;
  readonly client: string | undefined;
}

export async function listGrants(
  { manager }: CommandContext,
  values: FilterValues,
): Promise<OpenList<StoredGrant, number>> {
  const filter = await filterOf(manager, values);
  const store = createGrantStore(manager);
  return {
    async read({ limit, after }) {
      const found = await store.listOfAccount(filter, { limit: limit + 1, after });
      return pageOf(found, limit, ({ issueSeq }) => Number(issueSeq));
    },
    present,
  };
}

/** Ends one grant, or the active grants of an account. */
export async function revokeGrants(
  { manager }: CommandContext,
  values: Omit<FilterValues, 'email'> & {
    readonly id: string | undefined;
    readonly email: string | undefined;
    readonly reason: string | undefined;
  },
) {
  const { id, email = '', reason = null } = values;
  const grants =
    id === undefined
      ? await activeGrants(manager, { ...values, email })
      : [await grantOf(manager, id)];
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
}

/** The filter that the options mean: an account, in one tenant or all, to one client or all. */
async function filterOf(manager: EntityManager, values: FilterValues): Promise<AccountGrants> {
  const { email, tenant, client } = values;
  const account = await getAccount(manager, email);
  return {
    accountId: account.id,
    tenantId: tenant === undefined ? undefined : (await getTenant(manager, tenant)).id,
    clientId: client,
  };
}

async function activeGrants(
  manager: EntityManager,
  values: FilterValues,
): Promise<readonly StoredGrant[]> {
  const filter = await filterOf(manager, values);
  const found = await createGrantStore(manager).listOfAccount(filter, { limit: MAX_REVOKED + 1 });
  if (found.length <= MAX_REVOKED) return found.filter(({ status }) => status === 'active');
  throw new Refused(
    `There are more than ${MAX_REVOKED} grants: name a --tenant or --client, or revoke the account.`,
  );
}

/** @throws Refused if there is no such grant */
async function grantOf(manager: EntityManager, id: string): Promise<StoredGrant> {
  const grant = await createGrantStore(manager).findAnywhere(id);
  if (grant === undefined) throw new Refused(`There is no grant ${id}.`);
  return grant;
}

function present(grant: StoredGrant) {
  const { id, status, tenantId, accountId, clientId, clientName, scopes, createdAt } = grant;
  return { id, status, tenantId, accountId, clientId, clientName, scopes, createdAt };
}

import type { EntityManager } from 'typeorm';

import { OPERATOR } from '../../audit/index.js';
import { createClientStore } from '../../clients/index.js';
import {
  createAppConnections,
  createGrantStore,
  findGrants,
  type GrantsOfAccount,
  type GrantToEnd,
  type ListedGrant,
  presentEndedGrant,
  presentGrant,
  type StoredGrant,
} from '../../grants/index.js';
import { Problem } from '../../http/errors/problem.js';
import type { CommandContext } from '../command.js';
import { pageOf, type OpenList } from '../listing.js';
import { getAccount } from './accounts.js';
import { getTenant } from './tenants.js';

interface FilterValues {
  readonly email: string;
  readonly tenant: string | undefined;
  readonly client: string | undefined;
}

export async function listGrants(
  { manager }: CommandContext,
  values: FilterValues,
): Promise<OpenList<ListedGrant, number>> {
  const filter = await filterOf(manager, values);
  return {
    async read({ limit, after }) {
      const { found, resumeAfter } = await findGrants(manager, filter, { limit, after });
      return pageOf(found, limit, ({ issueSeq }) => Number(issueSeq), resumeAfter);
    },
    present: presentGrant,
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
  const connections = createAppConnections(manager, createClientStore(manager));
  const show = (grant: GrantToEnd) => presentEndedGrant(grant, reason);
  if (id === undefined) {
    const filter = await filterOf(manager, { ...values, email });
    return (await connections.endOfAccount(OPERATOR, filter, reason)).map(show);
  }
  const grant = await grantOf(manager, id);
  await connections.end(OPERATOR, [grant], reason);
  return [show(grant)];
}

/** The filter that the options mean: an account, in one tenant or all, to one client or all. */
async function filterOf(manager: EntityManager, values: FilterValues): Promise<GrantsOfAccount> {
  const { email, tenant, client } = values;
  const account = await getAccount(manager, email);
  return {
    accountId: account.id,
    tenantId: tenant === undefined ? undefined : (await getTenant(manager, tenant)).id,
    clientId: client,
  };
}

/** @throws Problem `not_found` */
async function grantOf(manager: EntityManager, id: string): Promise<StoredGrant> {
  const grant = await createGrantStore(manager).findAnywhere(id);
  if (grant === undefined) throw new Problem('not_found', 'Grant not found.');
  return grant;
}

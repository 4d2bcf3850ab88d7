import type { EntityManager } from 'typeorm';

import { BEHIND_ALL_IDS } from '../../db/id.js';
import { prepared } from '../../db/prepared.js';
import { rowsToFetch } from '../../db/space-rows.js';
import type { PageRequest } from '../../http/pagination.js';
import { nameToday } from '../../scopes/catalog.js';
import type { Role } from '../../scopes/roles.js';

/** A membership as the operator sees it. Its id is the subject that ends it: `usr_…@tnt_…`. */
export interface ListedMembership {
  readonly id: string;
  readonly accountId: string;
  readonly tenantId: string;
  readonly email: string;
  readonly name: string | null;
  readonly role: Role;
  readonly createdAt: Date;
}

/** The memberships of an account, or in a tenant. */
export type MembershipOwner = { readonly accountId: string } | { readonly tenantId: string };

const COLUMNS = `m.account_id || '@' || m.tenant_id AS id, m.account_id AS "accountId", m.tenant_id AS "tenantId",
  a.email, a.name, m.role, m.created_at AS "createdAt"`;

/** By descending id of the tenant or the account, up to one more than requested, after that id. */
export async function listMembershipsOf(
  manager: EntityManager,
  owner: MembershipOwner,
  { limit, after }: PageRequest<string>,
): Promise<readonly ListedMembership[]> {
  const isOfAccount = 'accountId' in owner;
  const [own, other] = isOfAccount ? ['account_id', 'tenant_id'] : ['tenant_id', 'account_id'];
  const fetched = rowsToFetch(limit);
  // The condition is `${own} = $1` in other words (perf: decision 21).
  const rows = await prepared(manager)<ListedMembership>(
    {
      name: `list-memberships-of-${isOfAccount ? 'account' : 'tenant'}-${fetched}`,
      text: `SELECT ${COLUMNS}
        FROM (SELECT * FROM memberships WHERE ${own} >= $1 AND (${own}, ${other}) < ($1, $2)
              ORDER BY ${own} DESC, ${other} DESC LIMIT ${fetched}) AS m
          JOIN accounts a ON a.id = m.account_id
        ORDER BY m.${other} DESC`,
    },
    [isOfAccount ? owner.accountId : owner.tenantId, after ?? BEHIND_ALL_IDS],
  );
  return rows.slice(0, limit + 1).map(withRoleToday);
}

export async function findMembershipOf(
  manager: EntityManager,
  accountId: string,
  tenantId: string,
): Promise<ListedMembership | undefined> {
  const [found] = await manager.query<ListedMembership[]>(
    `SELECT ${COLUMNS} FROM memberships m JOIN accounts a ON a.id = m.account_id
     WHERE m.account_id = $1 AND m.tenant_id = $2`,
    [accountId, tenantId],
  );
  return found && withRoleToday(found);
}

/** The catalogue may have renamed the stored role. */
function withRoleToday(membership: ListedMembership): ListedMembership {
  return { ...membership, role: nameToday(membership.role) };
}

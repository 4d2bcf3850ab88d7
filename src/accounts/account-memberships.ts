import type { EntityManager } from 'typeorm';

import { BEHIND_ALL_IDS } from '../db/id.js';
import { prepared } from '../db/prepared.js';
import { compareNames } from '../http/pages/natural-order.js';
import { nameToday } from '../scopes/catalog.js';
import type { Role } from '../scopes/roles.js';

/** An account's membership in a tenant. */
export interface AccountMembership {
  readonly tenantId: string;
  readonly tenantName: string;
  readonly tenantSlug: string;
  readonly isTenantSuspended: boolean;
  readonly role: Role;
  readonly createdAt: Date;
}

/** Bounds what one page reads of an account that belongs to a great many tenants. */
export const MAX_LISTED_MEMBERSHIPS = 1000;

const MEMBERSHIP = `t.id AS "tenantId", t.name AS "tenantName", t.slug AS "tenantSlug",
  t.suspended_at IS NOT NULL AS "isTenantSuspended", m.role, m.created_at AS "createdAt"`;

const OF_ACCOUNT = 'SELECT tenant_id, role, created_at FROM memberships WHERE account_id';

/**
 * Tenants are looked up one by one, so that no plan reads all of them. The named one is looked up by two unique indexes,
 * since ids and slugs never collide. The first condition is `account_id = $1` in other words (perf: decision 21).
 */
const LIST = {
  name: 'list-memberships',
  text: `SELECT ${MEMBERSHIP}
    FROM ((${OF_ACCOUNT} >= $1 AND (account_id, tenant_id) < ($1, '${BEHIND_ALL_IDS}')
        ORDER BY account_id DESC, tenant_id DESC LIMIT ${MAX_LISTED_MEMBERSHIPS})
      UNION (${OF_ACCOUNT} = $1 AND tenant_id = coalesce(
        (SELECT id FROM tenants WHERE slug = $2), (SELECT id FROM tenants WHERE id = $2)))) AS m
      CROSS JOIN LATERAL (SELECT * FROM tenants WHERE id = m.tenant_id LIMIT 1) AS t
    ORDER BY t.id`,
};

const FIND = {
  name: 'find-membership',
  text: `SELECT ${MEMBERSHIP} FROM memberships m JOIN tenants t ON t.id = m.tenant_id
    WHERE m.account_id = $1 AND m.tenant_id = $2`,
};

/** Reads the memberships of an account: see `AccountStore.listMemberships`. */
export async function listMemberships(
  manager: EntityManager,
  accountId: string,
  named = '',
): Promise<readonly AccountMembership[]> {
  // PostgreSQL text cannot contain NUL.
  const tenant = named.includes('\0') ? '' : named;
  const rows = await prepared(manager)<AccountMembership>(LIST, [accountId, tenant]);
  return rows
    .map(withRoleToday)
    .sort((one, other) => compareNames(one.tenantName, other.tenantName));
}

export async function findMembership(
  manager: EntityManager,
  tenantId: string,
  accountId: string,
): Promise<AccountMembership | undefined> {
  const [found] = await prepared(manager)<AccountMembership>(FIND, [accountId, tenantId]);
  return found && withRoleToday(found);
}

/** The catalogue may have renamed the stored role. */
function withRoleToday(membership: AccountMembership): AccountMembership {
  return { ...membership, role: nameToday(membership.role) };
}

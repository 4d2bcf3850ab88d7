import type { EntityManager } from 'typeorm';

import { IS_EXPIRED, IS_REVOKED } from '../../credentials/tables.js';
import type { Role } from '../../scopes/roles.js';

/** A member as the list shows them. */
export interface ListedMember {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly role: Role;
  readonly joinedAt: Date;
  /** `null` if they have not signed in since the time is noted. */
  readonly lastSignInAt: Date | null;
  /** Living ones in this tenant. */
  readonly tokens: number;
  readonly apps: number;
}

export interface MemberPage {
  readonly members: readonly ListedMember[];
  /** The position of the next page; `undefined` on the last one. */
  readonly next: string | undefined;
}

const PER_PAGE = 25;

/** The members of a page, before anything is counted for them. */
const PAGE = `SELECT m.account_id, m.role, m.created_at, a.email, a.name
  FROM memberships m JOIN accounts a ON a.id = m.account_id
  WHERE m.tenant_id = $1 AND ($2::text IS NULL OR m.account_id < $2)
    AND ($3::text IS NULL OR a.email ILIKE $3 OR a.name ILIKE $3)
    AND ($5::text IS NULL OR m.account_id = $5)
  ORDER BY m.account_id DESC LIMIT $4`;

/** One query. Tokens and apps are counted for the members of the page only. */
const LIST = `WITH page AS MATERIALIZED (${PAGE})
  SELECT page.account_id AS id, page.email, page.name, page.role, page.created_at AS "joinedAt",
    signed_in.at AS "lastSignInAt",
    (SELECT count(*)::int FROM credentials c WHERE c.principal_kind = 'user'
       AND c.principal_id = page.account_id AND c.tenant_id = $1
       AND NOT ${IS_EXPIRED} AND NOT ${IS_REVOKED}) AS tokens,
    (SELECT count(*)::int FROM grants c WHERE c.account_id = page.account_id AND c.tenant_id = $1
       AND c.keep_until > gatehouse_now() AND NOT ${IS_REVOKED}) AS apps
  FROM page LEFT JOIN last_sign_ins signed_in ON signed_in.account_id = page.account_id
  ORDER BY page.account_id DESC`;

/** The members of a tenant, newest account first, by pages. */
export async function listMembers(
  manager: EntityManager,
  tenantId: string,
  { search, after }: { readonly search: string; readonly after: string | undefined },
): Promise<MemberPage> {
  const pattern = search === '' ? null : `%${search.replaceAll(/[%_\\]/g, '\\$&')}%`;
  const values = [tenantId, after ?? null, pattern, PER_PAGE + 1, null];
  const rows = await manager.query<ListedMember[]>(LIST, values);
  const members = rows.slice(0, PER_PAGE);
  return { members, next: rows.length > PER_PAGE ? members.at(-1)?.id : undefined };
}

/** One member, as in the list. */
export async function findMember(
  manager: EntityManager,
  tenantId: string,
  accountId: string,
): Promise<ListedMember | undefined> {
  const [row] = await manager.query<ListedMember[]>(LIST, [tenantId, null, null, 1, accountId]);
  return row;
}

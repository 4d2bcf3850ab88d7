import type { EntityManager } from 'typeorm';

import { IS_REVOKED } from '../credentials/tables.js';
import { prepared, type PreparedStatement } from '../db/prepared.js';
import { LATEST, rowsToFetch } from '../db/space-rows.js';
import type { PageRequest } from '../http/pagination.js';
import type { Scope } from '../scopes/catalog.js';
import { delegableThroughOauth, type Role } from '../scopes/roles.js';
import { commonTo, inCatalogOrder } from '../scopes/scope-set.js';

/** The grants of a list: those of an account, or those in a tenant. */
export type GrantFilter = (
  | { readonly accountId: string; readonly tenantId?: string | undefined }
  | { readonly accountId?: undefined; readonly tenantId: string }
) & {
  readonly clientId?: string | undefined;
  /** Without grants that were revoked or have expired. */
  readonly isActive?: boolean;
};

/** A grant as lists show it: one installation of a client. */
export interface ListedGrant {
  readonly id: string;
  readonly tenantId: string;
  readonly tenantName: string;
  readonly accountId: string;
  readonly email: string;
  readonly accountName: string | null;
  readonly clientId: string;
  readonly clientName: string;
  readonly isVerified: boolean;
  readonly redirectUri: string;
  /** The granted scopes that the account's current role delegates. */
  readonly scopes: readonly Scope[];
  readonly status: 'active' | 'revoked' | 'expired';
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  readonly lastUsedAddress: string | null;
  /** Its position in the list. */
  readonly issueSeq: string;
}

/** A page, newest first, up to one more than asked for. */
export interface FoundGrants {
  readonly found: readonly ListedGrant[];
  /** The position at which the search stopped early. The next page continues there. */
  readonly resumeAfter: number | undefined;
}

/** Bounds the grants that one page examines for conditions that the index does not cover. */
const MAX_EXAMINED = 1000;

const STATUS = `CASE WHEN ${IS_REVOKED} THEN 'revoked'
  WHEN c.keep_until <= gatehouse_now() THEN 'expired' ELSE 'active' END`;

const IS_ACTIVE = [`NOT ${IS_REVOKED}`, 'c.keep_until > gatehouse_now()'] as const;

/** The names of accounts, tenants and clients are read for the rows of the page only. */
const page = (candidates: string, condition: string, limit: number) => `
  WITH page AS MATERIALIZED (
    SELECT c.*, ${STATUS} AS status FROM (${candidates}) AS c
    WHERE ${condition} ORDER BY c.issue_seq DESC LIMIT ${limit})
  SELECT g.id, g.tenant_id AS "tenantId", t.name AS "tenantName", g.account_id AS "accountId",
    a.email, a.name AS "accountName", g.client_id AS "clientId", client.name AS "clientName",
    client.is_verified AS "isVerified", g.redirect_uri AS "redirectUri", g.scopes, m.role, g.status,
    g.created_at AS "createdAt", u.used_at AS "lastUsedAt", u.address AS "lastUsedAddress",
    g.issue_seq::text AS "issueSeq"
  FROM page g
    JOIN tenants t ON t.id = g.tenant_id
    JOIN accounts a ON a.id = g.account_id
    JOIN clients client ON client.id = g.client_id
    LEFT JOIN memberships m ON m.account_id = g.account_id AND m.tenant_id = g.tenant_id
    LEFT JOIN grant_uses u ON u.grant_id = g.id
  ORDER BY g.issue_seq DESC`;

interface Range {
  readonly name: string;
  readonly sql: string;
  readonly values: readonly unknown[];
  /** Whether a condition on the client remains. */
  readonly scansClient: boolean;
}

/** The range of one index that holds the list. `$1` is the position after which the page begins. */
function rangeOf({ accountId, tenantId, clientId }: GrantFilter): Range {
  if (accountId !== undefined) {
    const ofMember = tenantId !== undefined;
    return {
      name: ofMember ? 'member' : 'account',
      sql: `c.account_id = $2${ofMember ? ' AND c.tenant_id = $3' : ''}`,
      values: ofMember ? [accountId, tenantId] : [accountId],
      scansClient: clientId !== undefined,
    };
  }
  if (clientId === undefined) {
    return { name: 'tenant', sql: 'c.tenant_id = $2', values: [tenantId], scansClient: false };
  }
  return {
    name: 'client',
    sql: 'c.tenant_id = $2 AND c.client_id = $3',
    values: [tenantId, clientId],
    scansClient: false,
  };
}

const from = ({ sql }: Range) =>
  `FROM grants c WHERE ${sql} AND c.issue_seq < $1::bigint ORDER BY c.issue_seq DESC`;

/**
 * Builds the statement of a page. Its limits are literals, so that the generic plan knows them.
 * @throws RangeError for a limit above 1,000
 */
function statementOf(
  range: Range,
  { clientId, isActive = false }: GrantFilter,
  { limit, after }: PageRequest,
): PreparedStatement & { readonly values: readonly unknown[] } {
  const fetched = rowsToFetch(limit);
  const values = [positionOf(after), ...range.values];
  const conditions: string[] = isActive ? [...IS_ACTIVE] : [];
  if (range.scansClient) conditions.push(`c.client_id = $${values.push(clientId)}`);
  const examined = conditions.length > 0 ? MAX_EXAMINED : fetched;
  const candidates = `SELECT c.* ${from(range)} LIMIT ${examined}`;
  const words = [range.name, ...(isActive ? ['active'] : []), ...(range.scansClient ? ['of'] : [])];
  return {
    name: `list-grants-${words.join('-')}-${fetched}`,
    text: page(candidates, conditions.join(' AND ') || 'true', fetched),
    values,
  };
}

/** Finds a page of grants. Each page reads one range of an index, whatever the size of the table. */
export async function findGrants(
  manager: EntityManager,
  filter: GrantFilter,
  request: PageRequest,
): Promise<FoundGrants> {
  const range = rangeOf(filter);
  const { values, ...statement } = statementOf(range, filter, request);
  const rows = await prepared(manager)<Row>(statement, values);
  const found = rows.slice(0, request.limit + 1).map(read);
  const isNarrowed = filter.isActive === true || range.scansClient;
  if (!isNarrowed || found.length > request.limit) return { found, resumeAfter: undefined };
  const [last] = await prepared(manager)<{ position: string }>(
    {
      name: `list-grants-end-${range.name}`,
      text: `SELECT c.issue_seq::text AS position ${from(range)} OFFSET ${MAX_EXAMINED - 1} LIMIT 1`,
    },
    [positionOf(request.after), ...range.values],
  );
  return { found, resumeAfter: last && Number(last.position) };
}

/** Finds a grant of any tenant and status. */
export async function findGrant(
  manager: EntityManager,
  id: string,
): Promise<ListedGrant | undefined> {
  const candidate = 'SELECT c.* FROM grants c WHERE c.id = $1';
  const statement = { name: 'find-grant', text: page(candidate, 'true', 1) };
  const [row] = await prepared(manager)<Row>(statement, [id]);
  return row && read(row);
}

/** Finds an active grant of a tenant. */
export async function findActiveGrant(
  manager: EntityManager,
  tenantId: string,
  id: string,
): Promise<ListedGrant | undefined> {
  const candidate = 'SELECT c.* FROM grants c WHERE c.id = $1 AND c.tenant_id = $2';
  const [row] = await prepared(manager)<Row>(
    { name: 'find-active-grant', text: page(candidate, IS_ACTIVE.join(' AND '), 1) },
    [id, tenantId],
  );
  return row && read(row);
}

function positionOf(after: number | undefined): string {
  return after === undefined ? LATEST : String(after);
}

interface Row extends Omit<ListedGrant, 'scopes'> {
  readonly scopes: readonly string[];
  readonly role: Role | null;
}

function read({ scopes, role, ...row }: Row): ListedGrant {
  const delegable = role === null ? [] : delegableThroughOauth(role);
  return { ...row, scopes: commonTo(inCatalogOrder(scopes), delegable) };
}

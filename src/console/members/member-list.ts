import type { EntityManager } from 'typeorm';

import { IS_EXPIRED, IS_REVOKED } from '../../credentials/tables.js';
import { BEHIND_ALL_IDS } from '../../db/id.js';
import { prepared } from '../../db/prepared.js';
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

export interface MemberFilter {
  /** Part of a name or an email; empty for all members. */
  readonly search: string;
  readonly after: string | undefined;
  /** For searchers who may not read the emails: a match would reveal them. */
  readonly isNameOnly?: boolean;
}

const PER_PAGE = 25;

/** Bounds the members that one page of a search examines. */
const MAX_EXAMINED = 5000;
/** Bounds the credentials that are counted for one member. */
const MAX_COUNTED = 1000;

/** `tenant_id = $1` in other words (perf: decision 21). */
const RANGE = `FROM memberships WHERE tenant_id >= $1 AND (tenant_id, account_id) < ($1, $2)
  ORDER BY tenant_id DESC, account_id DESC`;

const pageOf = (limit: number) => `SELECT m.account_id, m.role, m.created_at, a.email, a.name
  FROM (SELECT account_id, role, created_at ${RANGE} LIMIT ${limit}) AS m
    JOIN accounts a ON a.id = m.account_id`;

/** Tokens and apps are counted for the members of the page only, the newest `MAX_COUNTED` of each. */
const withCounts = (page: string) => `WITH page AS MATERIALIZED (${page})
  SELECT page.account_id AS id, page.email, page.name, page.role, page.created_at AS "joinedAt",
    (SELECT at FROM last_sign_ins WHERE account_id = page.account_id) AS "lastSignInAt",
    (SELECT count(*)::int FROM (SELECT c.* FROM credentials c WHERE c.principal_kind = 'user'
         AND c.principal_id = page.account_id AND c.tenant_id = $1
       ORDER BY c.issue_seq DESC LIMIT ${MAX_COUNTED}) AS c
     WHERE NOT ${IS_EXPIRED} AND NOT ${IS_REVOKED}) AS tokens,
    (SELECT count(*)::int FROM (SELECT c.* FROM grants c WHERE c.account_id = page.account_id
         AND c.tenant_id = $1 ORDER BY c.issue_seq DESC LIMIT ${MAX_COUNTED}) AS c
     WHERE c.keep_until > gatehouse_now() AND NOT ${IS_REVOKED}) AS apps
  FROM page
  ORDER BY page.account_id DESC`;

const LIST = { name: 'list-members-page', text: withCounts(pageOf(PER_PAGE + 1)) };

const SEARCH = {
  name: 'search-members',
  text: withCounts(`${pageOf(MAX_EXAMINED)}
    WHERE a.name ILIKE $3 OR (NOT $4::boolean AND a.email ILIKE $3) ORDER BY m.account_id DESC LIMIT ${PER_PAGE + 1}`),
};

const LAST_EXAMINED = {
  name: 'examined-members',
  text: `SELECT account_id AS id ${RANGE} OFFSET ${MAX_EXAMINED - 1} LIMIT 1`,
};

const FIND = {
  name: 'find-member',
  text: withCounts(`SELECT m.account_id, m.role, m.created_at, a.email, a.name
    FROM memberships m JOIN accounts a ON a.id = m.account_id
    WHERE m.tenant_id = $1 AND m.account_id = $2`),
};

/**
 * The members of a tenant, newest account first, by pages. A page of a search examines `MAX_EXAMINED` members, and the
 * next one continues behind them.
 */
export async function listMembers(
  manager: EntityManager,
  tenantId: string,
  { search, after, isNameOnly = false }: MemberFilter,
): Promise<MemberPage> {
  const run = prepared(manager);
  const range = [tenantId, after ?? BEHIND_ALL_IDS];
  const rows =
    search === ''
      ? await run<ListedMember>(LIST, range)
      : await run<ListedMember>(SEARCH, [...range, patternOf(search), isNameOnly]);
  const members = rows.slice(0, PER_PAGE);
  if (rows.length > PER_PAGE) return { members, next: members.at(-1)?.id };
  if (search === '') return { members, next: undefined };
  const [last] = await run<{ id: string }>(LAST_EXAMINED, range);
  return { members, next: last?.id };
}

function patternOf(search: string): string {
  return `%${search.replaceAll(/[%_\\]/g, '\\$&')}%`;
}

/** One member, as in the list. */
export async function findMember(
  manager: EntityManager,
  tenantId: string,
  accountId: string,
): Promise<ListedMember | undefined> {
  const [row] = await prepared(manager)<ListedMember>(FIND, [tenantId, accountId]);
  return row;
}

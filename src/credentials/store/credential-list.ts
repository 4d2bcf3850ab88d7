import type { EntityManager } from 'typeorm';

import { prepared, type PreparedStatement } from '../../db/prepared.js';
import { LATEST, rowsToFetch } from '../../db/space-rows.js';
import { type AnnotationFilter, conditionsOf } from '../../http/annotations.js';
import type { PageRequest } from '../../http/pagination.js';
import {
  ENVIRONMENTS,
  TENANT_KINDS,
  type CredentialStatus,
  type Environment,
  type KeyKind,
} from '../kinds.js';
import { STATUS } from '../verification/verdict-sql.js';
import { readListed, ROW, type ListedCredential, type ListedRow } from './listed-row.js';

/** The filters of a list of a tenant's credentials. */
export interface CredentialFilter extends AnnotationFilter {
  readonly kinds: readonly KeyKind[];
  readonly environments: readonly Environment[];
  /** Only those that speak for this account. */
  readonly accountId?: string | undefined;
  /** Only those confined to these spaces; `null` for all. */
  readonly spaces?: readonly string[] | null | undefined;
  readonly status?: CredentialStatus | undefined;
  /** A part of the name in any case, the whole id, or the last four characters of the key. */
  readonly search?: string | undefined;
  /** Neither used nor created within this number of days. */
  readonly unusedDays?: number | undefined;
}

/** A page of a list, newest first, up to one more than asked for. */
export interface FoundCredentials {
  readonly found: readonly ListedCredential[];
  /** The position at which the search stopped early. The next page continues there. */
  readonly resumeAfter: number | undefined;
}

/** Bounds the credentials that one page examines for filters that the index does not cover. */
export const MAX_EXAMINED = 5000;

/**
 * perf: reads one short index range for each environment and kind, so the tenant's size does not matter. Sub-selects hide
 * the values of short ranges from the planner, which would otherwise plan for them each time (decision 15). For long
 * ranges it has to know them: it sorts a whole tenant otherwise.
 */
function ofTenant(limit: number): string {
  const value = (text: string) => (limit < MAX_EXAMINED ? `(SELECT ${text})` : text);
  return `
  SELECT found.id, found.issue_seq
  FROM unnest(${value('$2::text[]')}) AS e (environment)
    CROSS JOIN unnest(${value('$3::text[]')}) AS k (kind)
    CROSS JOIN LATERAL (
      SELECT c.id, c.issue_seq FROM credentials c
      WHERE c.tenant_id = ${value('$1::text')} AND c.environment = e.environment AND c.kind = k.kind
        AND c.issue_seq < ${value('$4::bigint')}
      ORDER BY c.issue_seq DESC LIMIT ${limit}) AS found
  ORDER BY found.issue_seq DESC LIMIT ${limit}`;
}

/** The condition for all keys that a tenant manages, of any kind. */
export const OF_TENANT = `c.principal_kind <> 'user'`;

/**
 * All keys that a tenant manages: one range of an index of their own. PostgreSQL refuses parameters that no condition
 * names.
 */
const ofWholeTenant = (limit: number) => `
  SELECT c.id, c.issue_seq FROM credentials c
  WHERE c.tenant_id = $1 AND ${OF_TENANT} AND c.issue_seq < $4::bigint
    AND $2::text[] IS NOT NULL AND $3::text[] IS NOT NULL
  ORDER BY c.issue_seq DESC LIMIT ${limit}`;

/** @param account the placeholder that stands for the account */
const ofAccount = (limit: number, account: string) => `
  SELECT c.id, c.issue_seq FROM credentials c
  WHERE c.principal_kind = 'user' AND c.principal_id = ${account} AND c.tenant_id = $1
    AND c.environment = ANY ($2::text[]) AND c.kind = ANY ($3::text[]) AND c.issue_seq < $4::bigint
  ORDER BY c.issue_seq DESC LIMIT ${limit}`;

/** The same for external ids, of which a few keys have the same one. */
const annotated = (limit: number, conditions: readonly string[], account: string | undefined) => `
  ${matching(conditions, account)}
  ORDER BY c.issue_seq DESC LIMIT ${limit}`;

/** Keys by an index that has another order. Without an order, the limit bounds what is read. */
const matching = (conditions: readonly string[], account: string | undefined) => `
  SELECT c.id, c.issue_seq FROM credentials c
  WHERE c.tenant_id = $1 AND ${conditions.join(' AND ')}
    AND c.environment = ANY ($2::text[]) AND c.kind = ANY ($3::text[]) AND c.issue_seq < $4::bigint
    ${account === undefined ? '' : `AND c.principal_kind = 'user' AND c.principal_id = ${account}`}`;

/** As the index has it: the metadata below the tenant's id. */
const METADATA_OF_TENANT = `(('{"' || c.tenant_id || '":' || c.metadata::text || '}')::jsonb)`;

/** The conditions that no index covers. */
const NARROWED = `($5::text[] IS NULL OR c.spaces <@ $5)
  AND ($6::text IS NULL OR ${STATUS} = $6)
  AND ($7::text IS NULL OR c.id = $7 OR strpos(lower(c.name), lower($7)) > 0
    OR (length($7) = 4 AND right(c.masked_key, 5) = '…' || $7))
  AND ($8::int IS NULL
    OR coalesce(u.used_at, c.created_at) <= gatehouse_now() - make_interval(days => $8))`;

/**
 * The page as one JSON text, which costs the driver less than values of their own (perf: decision 15). Each key is looked up
 * by itself: for a rare condition the planner would read the whole table instead.
 */
const pageOf = (candidates: string, condition: string, limit: number) => `
  WITH candidates AS MATERIALIZED (${candidates})
  SELECT (SELECT count(*)::int FROM candidates) AS examined,
    (SELECT min(issue_seq)::text FROM candidates) AS last,
    (SELECT coalesce(json_agg(listed.item), '[]') FROM (
      SELECT ${ROW} AS item FROM candidates
        CROSS JOIN LATERAL (SELECT * FROM credentials WHERE id = candidates.id LIMIT 1) AS c
        LEFT JOIN LATERAL (SELECT * FROM credential_uses WHERE credential_id = candidates.id LIMIT 1) AS u ON true
      WHERE ${condition}
      ORDER BY candidates.issue_seq DESC LIMIT ${limit}) AS listed) AS page`;

/**
 * How the keys with some metadata are found. `range`: among the newest keys. `index`: by the index of metadata, up to one
 * more than a page examines, in any order.
 */
type Way = 'range' | 'index';

/**
 * Builds the statement of a page. Its limits are literals, so that the generic plan knows them. Exported for tests,
 * which check its plan.
 * @throws RangeError for a limit above 1,000
 */
export function listStatement(
  tenantId: string,
  filter: CredentialFilter,
  { limit, after }: PageRequest,
  way: Way = 'range',
): PreparedStatement & { readonly values: readonly unknown[] } {
  const { kinds, environments, accountId, spaces, status, search, unusedDays } = filter;
  const fetched = rowsToFetch(limit);
  const narrowed = isNarrowed(filter);
  const values: unknown[] = [
    tenantId,
    environments,
    kinds,
    after === undefined ? LATEST : String(after),
  ];
  if (narrowed) values.push(spaces ?? null, status ?? null, search ?? null, unusedDays ?? null);
  const account = accountId === undefined ? undefined : `$${values.push(accountId)}`;
  const parameter = (value: string | readonly string[]) => `$${values.push(value)}`;
  const isSearch = searchesMetadata(filter) && way === 'range';
  const annotations = isSearch
    ? conditionsOf(filter, parameter, { externalId: 'c.external_id', metadata: 'c.metadata' })
    : annotationConditions(tenantId, filter, parameter);
  const conditions = [...(narrowed ? [NARROWED] : []), ...(isSearch ? annotations : [])];
  const examined = conditions.length > 0 ? MAX_EXAMINED : fetched;
  const owner =
    accountId !== undefined ? 'account' : isOfTenant(filter) ? 'whole-tenant' : 'tenant';
  const ranges = {
    account: () => ofAccount(examined, account ?? ''),
    'whole-tenant': () => ofWholeTenant(examined),
    tenant: () => ofTenant(examined),
  };
  const candidates =
    way === 'index'
      ? `${matching(annotations, account)} LIMIT ${MAX_EXAMINED + 1}`
      : annotations.length > 0 && !isSearch
        ? annotated(examined, annotations, account)
        : ranges[owner]();
  const by = `${way}-${filter.externalId === undefined ? '' : 'id-'}${annotations.length}`;
  return {
    name: `list-credentials-${owner}-${narrowed ? 'narrowed' : 'all'}-${by}-${fetched}`,
    text: pageOf(candidates, conditions.join(' AND ') || 'true', fetched),
    values,
  };
}

function annotationConditions(
  tenantId: string,
  filter: AnnotationFilter,
  parameter: (value: string | readonly string[]) => string,
): readonly string[] {
  const conditions = conditionsOf(filter, parameter, {
    externalId: 'c.external_id',
    metadata: METADATA_OF_TENANT,
    below: (members) => ({ [tenantId]: members }),
  });
  return filter.metadata === undefined ? conditions : [...conditions, 'c.metadata IS NOT NULL'];
}

/**
 * Finds a page of a tenant's credentials. Keys with some metadata are looked for among the newest ones first, then by their
 * index: the one is dear if few keys have it, the other if many have.
 */
export async function findListed(
  manager: EntityManager,
  tenantId: string,
  filter: CredentialFilter,
  page: PageRequest,
): Promise<FoundCredentials> {
  const { values, ...statement } = listStatement(tenantId, filter, page);
  const newest = pageIn(await prepared(manager)<PageRow>(statement, values), page);
  const isSearch = searchesMetadata(filter);
  const isCutShort =
    (isNarrowed(filter) || isSearch) &&
    newest.found.length <= page.limit &&
    newest.examined >= MAX_EXAMINED;
  if (isCutShort && isSearch) {
    // Not prepared: a plan for unknown values would not know how many keys match.
    const byIndex = listStatement(tenantId, filter, page, 'index');
    const all = pageIn(await manager.query<PageRow[]>(byIndex.text, [...byIndex.values]), page);
    if (all.examined <= MAX_EXAMINED) return { found: all.found, resumeAfter: undefined };
  }
  const { found, last } = newest;
  return { found, resumeAfter: isCutShort && last !== null ? Number(last) : undefined };
}

interface PageRow {
  readonly page: readonly ListedRow[];
  readonly examined: number;
  readonly last: string | null;
}

function pageIn([row]: readonly PageRow[], { limit }: PageRequest) {
  const { page = [], examined = 0, last = null } = row ?? {};
  return { found: page.slice(0, limit + 1).map(readListed), examined, last };
}

/** Whether a filter has all kinds that a tenant manages, in both environments. */
export function isOfTenant({ kinds, environments, accountId }: CredentialFilter): boolean {
  return (
    accountId === undefined &&
    ENVIRONMENTS.every((environment) => environments.includes(environment)) &&
    kinds.length === TENANT_KINDS.length &&
    TENANT_KINDS.every((kind) => kinds.includes(kind))
  );
}

/** Whether a filter has a condition that the index does not cover. */
export function isNarrowed({ spaces, status, search, unusedDays }: CredentialFilter): boolean {
  return (
    (spaces ?? null) !== null ||
    status !== undefined ||
    search !== undefined ||
    unusedDays !== undefined
  );
}

/** Whether a filter has metadata, and no external id by which there are a few keys at most. */
function searchesMetadata({ externalId, metadata }: CredentialFilter): boolean {
  return externalId === undefined && metadata !== undefined;
}

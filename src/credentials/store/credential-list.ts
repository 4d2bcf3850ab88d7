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
import {
  byExternalId,
  byMetadata,
  MAX_EXAMINED,
  newestOf,
  type Owner,
} from './credential-candidates.js';
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

/** As the index has it: the metadata below the tenant's id. */
const METADATA_OF_TENANT = `(('{"' || c.tenant_id || '":' || c.metadata::text || '}')::jsonb)`;

/** The conditions that no index covers. `narrowingValues` has the values of `$5` to `$8`. */
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
 * Builds the statement of a page: an index finds the candidates, and what it does not cover is checked on each of them. Its
 * limits are literals, so that the generic plan knows them. Exported for tests, which check its plan.
 * @throws RangeError for a limit above 1,000
 */
export function listStatement(
  tenantId: string,
  filter: CredentialFilter,
  { limit, after }: PageRequest,
  way: Way = 'range',
): PreparedStatement & { readonly values: readonly unknown[] } {
  const { kinds, environments, accountId, externalId } = filter;
  const values: unknown[] = [tenantId, environments, kinds, String(after ?? LATEST)];
  const parameter: Parameter = (value) => `$${values.push(value)}`;
  const narrowed = isNarrowed(filter);
  if (narrowed) values.push(...narrowingValues(filter));
  const account = accountId === undefined ? undefined : parameter(accountId);

  const isByAnnotations = externalId !== undefined || way === 'index';
  const annotations = isByAnnotations
    ? indexedConditions(tenantId, filter, parameter)
    : conditionsOf(filter, parameter, { externalId: 'c.external_id', metadata: 'c.metadata' });
  const checked = [...(narrowed ? [NARROWED] : []), ...(isByAnnotations ? [] : annotations)];

  const fetched = rowsToFetch(limit);
  const owner = ownerOf(filter);
  const candidates = () => {
    if (way === 'index') return byMetadata(annotations, account);
    const examined = checked.length > 0 ? MAX_EXAMINED : fetched;
    if (externalId !== undefined) return byExternalId(examined, annotations, account);
    return newestOf(owner, examined, account);
  };
  const by = `${way}-${externalId === undefined ? '' : 'id-'}${annotations.length}`;
  return {
    name: `list-credentials-${owner}-${narrowed ? 'narrowed' : 'all'}-${by}-${fetched}`,
    text: pageOf(candidates(), checked.join(' AND ') || 'true', fetched),
    values,
  };
}

function narrowingValues({ spaces, status, search, unusedDays }: CredentialFilter) {
  return [spaces ?? null, status ?? null, search ?? null, unusedDays ?? null];
}

type Parameter = Parameters<typeof conditionsOf>[1];

/** The conditions on external id and metadata in the form that their indexes have. */
function indexedConditions(
  tenantId: string,
  filter: AnnotationFilter,
  parameter: Parameter,
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

function ownerOf(filter: CredentialFilter): Owner {
  if (filter.accountId !== undefined) return 'account';
  return isOfTenant(filter) ? 'whole-tenant' : 'tenant';
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

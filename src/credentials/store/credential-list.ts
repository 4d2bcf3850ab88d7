import type { EntityManager } from 'typeorm';

import { prepared, type PreparedStatement } from '../../db/prepared.js';
import { rowsToFetch } from '../../db/space-rows.js';
import { type AnnotationFilter, conditionsOf } from '../../http/annotations.js';
import type { PageRequest } from '../../http/pagination.js';
import { delegableBy, type Role } from '../../scopes/roles.js';
import { commonTo } from '../../scopes/scope-set.js';
import {
  ENVIRONMENTS,
  TENANT_KINDS,
  type CredentialStatus,
  type Environment,
  type KeyKind,
} from '../kinds.js';
import { ROLE, STATUS } from '../verification/verdict-sql.js';
import type { Credential } from './credential.entity.js';

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

/** A credential as lists show it, with its current state. */
export interface ListedCredential extends Readonly<
  Pick<
    Credential,
    | 'id'
    | 'name'
    | 'kind'
    | 'environment'
    | 'scopes'
    | 'spaces'
    | 'bindings'
    | 'allowedIps'
    | 'expiresAt'
    | 'rateLimitPerMinute'
    | 'ciphertext'
    | 'ciphertextKeyId'
    | 'maskedKey'
    | 'issueSeq'
    | 'createdAt'
    | 'createdBy'
    | 'replaces'
    | 'externalId'
    | 'metadata'
  >
> {
  readonly status: CredentialStatus;
  readonly lastUsedAt: Date | null;
  readonly lastUsedAddress: string | null;
  /** The thumbprint of the key that it is bound to; absent in lists. */
  readonly proofKey?: string | null;
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

/** The same for external ids and metadata, which have indexes of their own. */
const annotated = (limit: number, conditions: readonly string[], account: string | undefined) => `
  SELECT c.id, c.issue_seq FROM credentials c
  WHERE c.tenant_id = $1 AND ${conditions.join(' AND ')}
    AND c.environment = ANY ($2::text[]) AND c.kind = ANY ($3::text[]) AND c.issue_seq < $4::bigint
    ${account === undefined ? '' : `AND c.principal_kind = 'user' AND c.principal_id = ${account}`}
  ORDER BY c.issue_seq DESC LIMIT ${limit}`;

/** As the index has it: the metadata below the tenant's id. */
const METADATA_OF_TENANT = `(('{"' || c.tenant_id || '":' || c.metadata::text || '}')::jsonb)`;

/** The conditions that no index covers. */
const NARROWED = `($5::text[] IS NULL OR c.spaces <@ $5)
  AND ($6::text IS NULL OR ${STATUS} = $6)
  AND ($7::text IS NULL OR c.id = $7 OR strpos(lower(c.name), lower($7)) > 0
    OR (length($7) = 4 AND right(c.masked_key, 5) = '…' || $7))
  AND ($8::int IS NULL
    OR coalesce(u.used_at, c.created_at) <= gatehouse_now() - make_interval(days => $8))`;

/** Milliseconds since 1970, as `Date` takes them. */
const millis = (time: string) => `floor(extract(epoch FROM ${time}) * 1000)`;

/** The order of the members in `ListedRow`. Arrays, since the names would be most of the text. */
const ROW = `json_build_array(c.id, c.name, c.kind, c.environment, c.scopes, c.spaces, c.bindings, c.allowed_ips,
  ${millis('c.expires_at')}, c.rate_limit_per_minute, encode(c.ciphertext, 'hex'), c.ciphertext_key_id, c.masked_key,
  c.issue_seq::text, ${millis('c.created_at')}, c.created_by, c.replaces, ${STATUS}, ${ROLE}, ${millis('u.used_at')},
  u.address, c.external_id, c.metadata)`;

type ListedRow = readonly [
  id: string,
  name: string,
  kind: KeyKind,
  environment: Environment,
  scopes: Credential['scopes'],
  spaces: string[] | null,
  bindings: Credential['bindings'],
  allowedIps: string[] | null,
  expiresAt: number | null,
  rateLimitPerMinute: number | null,
  ciphertext: string | null,
  ciphertextKeyId: string | null,
  maskedKey: string,
  issueSeq: string,
  createdAt: number,
  createdBy: string,
  replaces: string | null,
  status: CredentialStatus,
  role: Role | null,
  lastUsedAt: number | null,
  lastUsedAddress: string | null,
  externalId: string | null,
  metadata: Credential['metadata'],
];

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

/** Behind every position. */
export const LATEST = '9223372036854775807';

/**
 * Builds the statement of a page. Its limits are literals, so that the generic plan knows them. Exported for tests,
 * which check its plan.
 * @throws RangeError for a limit above 1,000
 */
export function listStatement(
  tenantId: string,
  filter: CredentialFilter,
  { limit, after }: PageRequest,
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
  const examined = narrowed ? MAX_EXAMINED : fetched;
  const account = accountId === undefined ? undefined : `$${values.push(accountId)}`;
  const conditions = annotationConditions(tenantId, filter, (value) => `$${values.push(value)}`);
  const candidates =
    conditions.length > 0
      ? annotated(examined, conditions, account)
      : account !== undefined
        ? ofAccount(examined, account)
        : isOfTenant(filter)
          ? ofWholeTenant(examined)
          : ofTenant(examined);
  const owner =
    accountId !== undefined ? 'account' : isOfTenant(filter) ? 'whole-tenant' : 'tenant';
  const by = filter.externalId === undefined ? conditions.length : `id-${conditions.length}`;
  return {
    name: `list-credentials-${owner}-${narrowed ? 'narrowed' : 'all'}-${by}-${fetched}`,
    text: pageOf(candidates, narrowed ? NARROWED : 'true', fetched),
    values,
  };
}

function annotationConditions(
  tenantId: string,
  filter: AnnotationFilter,
  parameter: (value: string) => string,
): readonly string[] {
  const conditions = conditionsOf(filter, parameter, {
    externalId: 'c.external_id',
    metadata: METADATA_OF_TENANT,
    below: (members) => ({ [tenantId]: members }),
  });
  return filter.metadata === undefined ? conditions : [...conditions, 'c.metadata IS NOT NULL'];
}

/** Finds a page of a tenant's credentials. */
export async function findListed(
  manager: EntityManager,
  tenantId: string,
  filter: CredentialFilter,
  page: PageRequest,
): Promise<FoundCredentials> {
  const { values, ...statement } = listStatement(tenantId, filter, page);
  const [row] = await prepared(manager)<{
    page: readonly ListedRow[];
    examined: number;
    last: string | null;
  }>(statement, values);
  if (row === undefined) return { found: [], resumeAfter: undefined };
  const found = row.page.slice(0, page.limit + 1).map(read);
  const isCutShort =
    isNarrowed(filter) && found.length <= page.limit && row.examined >= MAX_EXAMINED;
  return { found, resumeAfter: isCutShort && row.last !== null ? Number(row.last) : undefined };
}

function read(row: ListedRow): ListedCredential {
  const [id, name, kind, environment, scopes, spaces, bindings, allowedIps, expiresAt, ...more] =
    row;
  const [rateLimitPerMinute, ciphertext, ciphertextKeyId, maskedKey, issueSeq, ...rest] = more;
  const [createdAt, createdBy, replaces, status, role, lastUsedAt, lastUsedAddress, ...given] =
    rest;
  const [externalId, metadata] = given;
  return {
    id,
    name,
    kind,
    environment,
    scopes: currentScopes(scopes, role),
    spaces,
    bindings,
    allowedIps,
    expiresAt: dateOf(expiresAt),
    rateLimitPerMinute,
    ciphertext: ciphertext === null ? null : Buffer.from(ciphertext, 'hex'),
    ciphertextKeyId,
    maskedKey,
    issueSeq,
    createdAt: new Date(createdAt),
    createdBy,
    replaces,
    status,
    lastUsedAt: dateOf(lastUsedAt),
    lastUsedAddress,
    externalId,
    metadata,
  };
}

function dateOf(time: number | null): Date | null {
  return time === null ? null : new Date(time);
}

/** @param role the current role of a personal token's account, which limits its scopes; `null` for other kinds */
export function currentScopes(scopes: Credential['scopes'], role: Role | null) {
  return role === null ? scopes : [...commonTo(scopes, delegableBy(role))];
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

import type { EntityManager } from 'typeorm';

import type { PageRequest } from '../../http/pagination.js';
import type { Environment, KeyKind } from '../kinds.js';
import { STATUS } from '../verification/verdict-sql.js';

export const CREDENTIAL_STATUSES = ['active', 'revoked', 'expired'] as const;
export type CredentialStatus = (typeof CREDENTIAL_STATUSES)[number];

/** The filters of a list of a tenant's credentials. */
export interface CredentialFilter {
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

/** The ids of a page, newest first, up to one more than asked for. */
export interface FoundIds {
  readonly ids: readonly string[];
  /** The position at which the search stopped early. The next page continues there. */
  readonly resumeAfter: number | undefined;
}

/** Bounds the credentials that one page examines for filters that the index does not cover. */
export const MAX_EXAMINED = 5000;

/** perf: reads one short index range for each environment and kind, so the tenant's size does not matter. */
const OF_TENANT = `
  SELECT found.id, found.issue_seq
  FROM unnest($2::text[]) AS e (environment) CROSS JOIN unnest($3::text[]) AS k (kind)
    CROSS JOIN LATERAL (
      SELECT c.id, c.issue_seq FROM credentials c
      WHERE c.tenant_id = $1 AND c.environment = e.environment AND c.kind = k.kind
        AND c.issue_seq < $4::bigint
      ORDER BY c.issue_seq DESC LIMIT $5) AS found
  WHERE $11::text IS NULL
  ORDER BY found.issue_seq DESC LIMIT $5`;

const OF_ACCOUNT = `
  SELECT c.id, c.issue_seq FROM credentials c
  WHERE c.principal_kind = 'user' AND c.principal_id = $11 AND c.tenant_id = $1
    AND c.environment = ANY ($2::text[]) AND c.kind = ANY ($3::text[]) AND c.issue_seq < $4::bigint
  ORDER BY c.issue_seq DESC LIMIT $5`;

const idsAmong = (candidates: string) => `
  WITH candidates AS MATERIALIZED (${candidates})
  SELECT (SELECT count(*)::int FROM candidates) AS examined,
    (SELECT min(issue_seq)::text FROM candidates) AS last,
    ARRAY (
      SELECT c.id FROM candidates JOIN credentials c ON c.id = candidates.id
        LEFT JOIN credential_uses u ON u.credential_id = c.id
      WHERE ($6::text[] IS NULL OR c.spaces <@ $6)
        AND ($7::text IS NULL OR ${STATUS} = $7)
        AND ($8::text IS NULL OR c.id = $8 OR strpos(lower(c.name), lower($8)) > 0
          OR (length($8) = 4 AND right(c.masked_key, 5) = '…' || $8))
        AND ($9::int IS NULL
          OR coalesce(u.used_at, c.created_at) <= gatehouse_now() - make_interval(days => $9))
      ORDER BY candidates.issue_seq DESC LIMIT $10) AS ids`;

const LIST_OF_TENANT = idsAmong(OF_TENANT);
const LIST_OF_ACCOUNT = idsAmong(OF_ACCOUNT);

const LATEST = '9223372036854775807';

/** Builds the statement of a page. Exported for tests, which check its plan. */
export function listStatement(
  tenantId: string,
  filter: CredentialFilter,
  { limit, after }: PageRequest,
): { readonly text: string; readonly values: readonly unknown[] } {
  const { kinds, environments, accountId, spaces, status, search, unusedDays } = filter;
  return {
    text: accountId === undefined ? LIST_OF_TENANT : LIST_OF_ACCOUNT,
    values: [
      tenantId,
      environments,
      kinds,
      after === undefined ? LATEST : String(after),
      isNarrowed(filter) ? Math.max(MAX_EXAMINED, limit + 1) : limit + 1,
      spaces ?? null,
      status ?? null,
      search ?? null,
      unusedDays ?? null,
      limit + 1,
      accountId ?? null,
    ],
  };
}

/** Finds a page of a tenant's credentials. */
export async function findListed(
  manager: EntityManager,
  tenantId: string,
  filter: CredentialFilter,
  page: PageRequest,
): Promise<FoundIds> {
  const { text, values } = listStatement(tenantId, filter, page);
  const [{ ids, examined, last }] = await manager.query<
    [{ ids: string[]; examined: number; last: string | null }]
  >(text, [...values]);
  const isCutShort = isNarrowed(filter) && ids.length <= page.limit && examined >= MAX_EXAMINED;
  return { ids, resumeAfter: isCutShort && last !== null ? Number(last) : undefined };
}

/** Whether a filter has a condition that the index does not cover. */
function isNarrowed({ spaces, status, search, unusedDays }: CredentialFilter): boolean {
  return (
    (spaces ?? null) !== null ||
    status !== undefined ||
    search !== undefined ||
    unusedDays !== undefined
  );
}

import { expiresAroundNow } from '../../db/partitions.js';
import type { CredentialQuery } from '../kinds.js';
import type { LookupQueries } from './lookup.js';
import { IS_EXPIRED, IS_REVOKED } from './verdict-sql.js';

/** Separates facts. None of them can contain it, since the name, the only free text, is a column of its own. */
export const SEPARATOR = '\u001f';

/** The first characters of annotations. */
export const MARKS = { tenantId: 'T', tenantMetadata: 't', keyId: 'K', keyMetadata: 'k' } as const;

const IN_MS = (time: string) => `(extract(epoch FROM ${time}) * 1000)::bigint`;

/** The SQL for the state of a credential. `isGone` and `isOver` are additional conditions that end it. */
const stateOf = (isGone = 'false', isOver = 'false') => `
      CASE WHEN ${isGone} OR ${IS_REVOKED} THEN 'revoked'
           WHEN ${IS_EXPIRED} OR ${isOver} THEN 'expired'
           WHEN t.suspended_at IS NOT NULL THEN 'tenant_suspended'
           ELSE 'good' END`;

const nullable = (column: string) =>
  `CASE WHEN ${column} IS NULL THEN '*' ELSE array_to_string(${column}, ' ') END`;

/** The last subject of a bound credential is the key that it is bound to. perf: cheaper than a column (decision 19). */
const LAST_SUBJECT = 'c.subjects[cardinality(c.subjects)]';
/** The subjects whose revocation ends a credential, and the position in the order of changes at which it was read. */
const ORIGIN = `array_to_string(c.subjects, ' '), pg_snapshot_xmin(pg_current_snapshot())`;

/**
 * The external id and the metadata of a table's row under names of their own, on schemas without these columns too: a name
 * that the table lacks is found in `absent`, which stands to the left.
 */
const annotatedRows = (table: string) => `LATERAL (SELECT stored.*, external_id AS annotated_id,
      metadata AS annotated_with FROM ${table} stored)`;
const ABSENT = '(SELECT NULL::text AS external_id, NULL::jsonb AS metadata) AS absent';

/**
 * External ids and metadata of the tenant and the key, behind all other facts, each with its mark.
 * perf: those that are NULL are not in the text at all.
 */
const annotations = (key: string) => `
      '${MARKS.tenantId}' || t.annotated_id, '${MARKS.tenantMetadata}' || t.annotated_with::text,
      '${MARKS.keyId}' || ${key}.annotated_id, '${MARKS.keyMetadata}' || ${key}.annotated_with::text`;

/** The end of a token beside revocations: of its resource server, and of its client and membership or its parent. */
const IS_TOKEN_GONE = `((c.server_id IS NOT NULL AND server.id IS NULL)
        OR CASE WHEN c.parent_id IS NULL THEN client.id IS NULL OR m.role IS NULL
                ELSE parent.id IS NULL END)`;

/** The facts of every key. Some queries append more. */
const keyFacts = (isGone?: string) => `
      c.id, c.kind, c.tenant_id, c.environment, c.principal_id, c.digest_key_id,
      ${stateOf(isGone)},
      array_to_string(c.scopes, ' '), ${nullable('c.spaces')}, ${nullable('c.allowed_ips')},
      ${IN_MS('c.created_at')},
      CASE WHEN c.expires_at IS NULL THEN '*' ELSE ${IN_MS('c.expires_at')}::text END,
      coalesce(c.bindings::text, '*'), coalesce(c.rate_limit_per_minute::text, '*'),
      ${LAST_SUBJECT}, ${ORIGIN}`;

const KEYS = `${ABSENT} CROSS JOIN ${annotatedRows('credentials')} AS c
      JOIN ${annotatedRows('tenants')} AS t ON t.id = c.tenant_id`;

/**
 * The queries of the lookup. A row is the digest, the name, and all other facts joined in one text.
 * perf: one text is cheaper to read than many columns.
 */
export const VERIFICATION_QUERIES: LookupQueries<CredentialQuery> = {
  keys: (digests) => `
    SELECT c.digest, c.name, concat_ws('${SEPARATOR}', ${keyFacts()}, ${annotations('c')})
    FROM ${KEYS}
    WHERE c.digest = ANY (${digests}::text[])`,
  // The end of a membership revokes its tokens.
  personal: (digests) => `
    SELECT c.digest, c.name, concat_ws('${SEPARATOR}', ${keyFacts('m.role IS NULL')},
      coalesce(m.role, ''), ${annotations('c')})
    FROM ${KEYS}
      LEFT JOIN memberships m ON m.account_id = c.principal_id AND m.tenant_id = c.tenant_id
    WHERE c.digest = ANY (${digests}::text[])`,
  imported: (digests) => `
    SELECT c.digest, c.name, concat_ws('${SEPARATOR}', ${keyFacts()},
      coalesce(c.imported_prefix, ''), coalesce(c.imported_pattern, ''),
      ${annotations('c')})
    FROM ${KEYS}
    WHERE c.digest = ANY (${digests}::text[]) 
      AND (c.imported_prefix IS NOT NULL OR c.imported_pattern IS NOT NULL)`,
  // The deletion of a client, the end of a membership and the removal of a resource server revoke their tokens.
  tokens: (digests) => `
    SELECT c.digest, coalesce(client.name, parent.name, ''), concat_ws('${SEPARATOR}',
      c.id, 'access_token', c.tenant_id, coalesce(parent.environment, 'live'),
      coalesce(c.account_id, parent.principal_id, ''), c.digest_key_id,
      ${stateOf(IS_TOKEN_GONE, 'parent.expires_at <= gatehouse_now()')},
      array_to_string(c.scopes, ' '), ${nullable('coalesce(c.spaces, parent.spaces)')},
      ${nullable('parent.allowed_ips')},
      ${IN_MS('c.issued_at')}, ${IN_MS('c.expires_at')},
      coalesce(parent.bindings::text, '*'), coalesce(parent.rate_limit_per_minute::text, '*'),
      ${LAST_SUBJECT}, ${ORIGIN},
      coalesce(m.role, ''), coalesce(c.client_id, ''), coalesce(c.grant_id, ''), c.audience,
      coalesce(c.server_id, ''), ${nullable('server.scopes')},
      coalesce(parent.id, ''), coalesce(parent.kind, ''), ${annotations('parent')})
    FROM ${ABSENT} CROSS JOIN access_tokens c
      JOIN ${annotatedRows('tenants')} AS t ON t.id = c.tenant_id
      LEFT JOIN resource_servers server ON server.id = c.server_id
      LEFT JOIN ${annotatedRows('credentials')} AS parent ON parent.id = c.parent_id
      LEFT JOIN clients client ON client.id = c.client_id
      LEFT JOIN memberships m ON m.account_id = c.account_id AND m.tenant_id = c.tenant_id
    WHERE c.digest = ANY (${digests}::text[]) AND ${expiresAroundNow('access_tokens', 'c')}`,
};

/** The position of the first fact that only some queries read. */
export const FURTHER = 17;

/** The number of facts that each query reads. Annotations follow. */
export const FACTS: Readonly<Record<CredentialQuery, number>> = {
  keys: FURTHER,
  personal: FURTHER + 1,
  imported: FURTHER + 2,
  tokens: FURTHER + 8,
};

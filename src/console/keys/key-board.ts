import type { EntityManager } from 'typeorm';

import type { Environment, KeyKind } from '../../credentials/kinds.js';
import type { CredentialStatus } from '../../credentials/kinds.js';
import { STATUS } from '../../credentials/tables.js';
import { prepared } from '../../db/prepared.js';
import { LATEST } from '../../db/space-rows.js';
import type { Scope } from '../../scopes/catalog.js';

/** A key in a list of the console. Times are milliseconds since the epoch. */
export interface BoardKey {
  readonly id: string;
  readonly name: string;
  readonly environment: Environment;
  readonly scopes: readonly Scope[];
  readonly spaces: readonly string[] | null;
  readonly allowedIps: readonly string[] | null;
  readonly maskedKey: string;
  /** Sealed secret of a readable key, in hexadecimal digits. */
  readonly ciphertext: string | null;
  readonly ciphertextKeyId: string | null;
  readonly createdAt: number;
  readonly createdBy: string;
  /** The name of the account or key that created it. */
  readonly creator: string | null;
  readonly expiresAt: number | null;
  readonly usedAt: number | null;
  readonly usedFrom: string | null;
  readonly status: CredentialStatus;
  readonly isReplaced: boolean;
  readonly position: string;
}

export interface BoardFilter {
  readonly tenantId: string;
  readonly environment: Environment;
  /** The account whose own tokens are read, of every environment; absent for the keys of the tenant. */
  readonly accountId: string | undefined;
  readonly status: CredentialStatus | undefined;
  readonly search: string | undefined;
  readonly scope: string | undefined;
  readonly space: string | undefined;
  readonly creator: string | undefined;
  readonly unusedDays: number | undefined;
}

/** The keys of one kind. */
export interface BoardPart {
  readonly kind: KeyKind;
  /** Up to a page, newest first. */
  readonly keys: readonly BoardKey[];
  /** The number of keys among those that were examined. */
  readonly count: number;
  /** Whether there is any key to examine, whatever the filter. */
  readonly hasKeys: boolean;
  /** Whether there may be keys that were not examined. */
  readonly isCountCut: boolean;
  /** The position after which the next page begins, if there is one. */
  readonly next: string | undefined;
}

interface Named {
  readonly id: string;
  readonly name: string;
}

export interface Board {
  readonly parts: readonly BoardPart[];
  /** The spaces of the tenant and the creators of its newest keys, for filters. */
  readonly spaces: readonly Named[];
  readonly creators: readonly Named[];
}

const PAGE_SIZE = 25;

/** Keys of a kind that a page examines. Filters that match few keys get more. */
const EXAMINED = { usual: 501, searching: 5000 } as const;

/** Which keys a page reads. The parameter is the environment, or the account. */
const REACH = {
  tenant: 'c.environment = $2',
  own: `c.principal_kind = 'user' AND c.principal_id = $2`,
} as const;

const MILLIS = (time: string) => `floor(extract(epoch FROM ${time}) * 1000)`;
const CREATOR = `coalesce(
  (SELECT coalesce(a.name, a.email) FROM accounts a WHERE a.id = c.created_by),
  (SELECT maker.name FROM credentials maker WHERE maker.id = c.created_by AND maker.tenant_id = $1))`;

/** Looks a key up by itself: for a rare condition the planner would read the whole table instead. */
const keyAndUseOf = (id: string) => `
  CROSS JOIN LATERAL (SELECT * FROM credentials WHERE id = ${id} LIMIT 1) AS c
  LEFT JOIN LATERAL (SELECT * FROM credential_uses WHERE credential_id = ${id} LIMIT 1) AS u ON true`;

/**
 * perf: one statement for a page. It reads a short range of the index for each kind, whatever the size of the tenant, and
 * the names only for the rows that it returns.
 */
const statementOf = (examined: number, reach: keyof typeof REACH) => `
  WITH candidates AS MATERIALIZED (
    SELECT k.kind, found.id, found.issue_seq, found.created_by
    FROM unnest($3::text[], $4::bigint[]) AS k (kind, after) CROSS JOIN LATERAL (
      SELECT c.id, c.issue_seq, c.created_by FROM credentials c
      WHERE c.tenant_id = $1 AND ${REACH[reach]} AND c.kind = k.kind AND c.issue_seq < k.after
      ORDER BY c.issue_seq DESC LIMIT ${examined}) AS found),
  matching AS MATERIALIZED (
    SELECT candidates.*, row_number() OVER (PARTITION BY candidates.kind ORDER BY candidates.issue_seq DESC) AS place
    FROM candidates ${keyAndUseOf('candidates.id')}
    WHERE ($6::text IS NULL OR c.id = $6 OR strpos(lower(c.name), lower($6)) > 0
        OR (length($6) = 4 AND right(c.masked_key, 5) = '…' || $6))
      AND ($7::text IS NULL OR $7 = ANY (c.scopes))
      AND ($8::text IS NULL OR c.spaces IS NULL OR $8 = ANY (c.spaces))
      AND ($9::text IS NULL OR c.created_by = $9)
      AND ($10::int IS NULL
        OR coalesce(u.used_at, c.created_at) <= gatehouse_now() - make_interval(days => $10))
      AND ($5::text IS NULL OR ${STATUS} = $5))
  SELECT k.kind,
    (SELECT count(*)::int FROM candidates WHERE candidates.kind = k.kind) AS examined,
    (SELECT min(issue_seq)::text FROM candidates WHERE candidates.kind = k.kind) AS last,
    (SELECT count(*)::int FROM matching WHERE matching.kind = k.kind) AS count,
    (SELECT coalesce(json_agg(json_build_object(
        'id', c.id, 'name', c.name, 'environment', c.environment, 'scopes', c.scopes, 'spaces', c.spaces, 'allowedIps', c.allowed_ips,
        'maskedKey', c.masked_key, 'ciphertext', encode(c.ciphertext, 'hex'),
        'ciphertextKeyId', c.ciphertext_key_id, 'createdAt', ${MILLIS('c.created_at')},
        'createdBy', c.created_by, 'creator', ${CREATOR}, 'expiresAt', ${MILLIS('c.expires_at')},
        'usedAt', ${MILLIS('u.used_at')}, 'usedFrom', u.address, 'status', ${STATUS},
        'isReplaced', EXISTS (SELECT FROM credentials next WHERE next.replaces = c.id),
        'position', c.issue_seq::text) ORDER BY m.place), '[]')
      FROM matching m ${keyAndUseOf('m.id')}
      WHERE m.kind = k.kind AND m.place <= ${PAGE_SIZE + 1}) AS keys,
    (SELECT coalesce(json_agg(s), '[]') FROM (
      SELECT id, name FROM spaces WHERE tenant_id = $1 LIMIT 1000) AS s) AS spaces,
    (SELECT coalesce(json_agg(json_build_object('id', c.created_by, 'name', coalesce(${CREATOR}, c.created_by))), '[]')
      FROM (SELECT DISTINCT candidates.created_by FROM candidates LIMIT 50) AS c) AS creators
  FROM unnest($3::text[]) AS k (kind)`;

interface Row {
  readonly kind: KeyKind;
  readonly examined: number;
  readonly last: string | null;
  readonly count: number;
  readonly keys: readonly BoardKey[];
  readonly spaces: readonly Named[];
  readonly creators: readonly Named[];
}

/**
 * Reads a page of keys of several kinds, by one statement.
 * @param after the position of each kind after which its page begins; absent for the newest
 */
export async function readBoard(
  manager: EntityManager,
  filter: BoardFilter,
  kinds: readonly KeyKind[],
  after: Readonly<Partial<Record<KeyKind, string>>>,
): Promise<Board> {
  const { tenantId, environment, accountId, status, search, scope, space, creator, unusedDays } =
    filter;
  const isSearching = [search, scope, space, creator, unusedDays].some(
    (part) => part !== undefined,
  );
  const examined = isSearching ? EXAMINED.searching : EXAMINED.usual;
  const reach = accountId === undefined ? 'tenant' : 'own';
  const rows = await prepared(manager)<Row>(
    { name: `console-keys-${reach}-${examined}`, text: statementOf(examined, reach) },
    [
      tenantId,
      accountId ?? environment,
      kinds,
      kinds.map((kind) => after[kind] ?? LATEST),
      status ?? null,
      search ?? null,
      scope ?? null,
      space ?? null,
      creator ?? null,
      unusedDays ?? null,
    ],
  );
  const partOf = (kind: KeyKind): BoardPart => {
    const row = rows.find((candidate) => candidate.kind === kind);
    if (row === undefined) {
      return { kind, keys: [], count: 0, hasKeys: false, isCountCut: false, next: undefined };
    }
    const keys = row.keys.slice(0, PAGE_SIZE);
    const isCountCut = row.examined >= examined;
    const next = row.keys.length > PAGE_SIZE ? keys.at(-1)?.position : undefined;
    return {
      kind,
      keys,
      count: row.count,
      hasKeys: row.examined > 0,
      isCountCut,
      next: next ?? (isCountCut ? (row.last ?? undefined) : undefined),
    };
  };
  const { spaces = [], creators = [] } = rows[0] ?? {};
  return { parts: kinds.map(partOf), spaces, creators };
}

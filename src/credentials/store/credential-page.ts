import type { EntityManager } from 'typeorm';

import { keptRead, readJoined, type JoinableRead } from '../../db/joined-reads.js';
import { pack, type Column, type Packed } from '../../db/packed-rows.js';
import { LATEST, rowsToFetch } from '../../db/space-rows.js';
import { createRowWriter, type WrittenRow } from '../../db/written-rows.js';
import type { PageRequest } from '../../http/pagination.js';
import { factsOf, KEY_KINDS } from '../kinds.js';
import { STATUS } from '../verification/verdict-sql.js';
import { OF_TENANT } from './credential-candidates.js';
import { isNarrowed, isOfTenant, type CredentialFilter } from './credential-list.js';

/** A key as lists show it, with its position. */
export interface WrittenKey extends WrittenRow {
  /** The key itself, encrypted; of publishable keys only. */
  readonly sealed?: SealedKey | undefined;
}

/** The encrypted text of a publishable key. */
export interface SealedKey {
  readonly id: string;
  readonly ciphertext: Buffer;
  readonly ciphertextKeyId: string;
}

/** The members of a key in the API, as `presentKey` of `src/api-keys/key-presenter.ts` has them. */
const KEYS: readonly Column[] = [
  { member: 'issueSeq', name: 'issue_seq', type: 'position' },
  { member: 'id', name: 'id', type: 'text' },
  { member: 'name', name: 'name', type: 'text' },
  { member: 'kind', name: 'kind', type: 'text' },
  { member: 'environment', name: 'environment', type: 'text' },
  { member: 'scopes', name: 'scopes', type: 'list' },
  { member: 'allowedIps', name: 'allowed_ips', type: 'list', isRare: true },
  { member: 'expiresAt', name: 'expires_at', type: 'time' },
  { member: 'rateLimitPerMinute', name: 'rate_limit_per_minute', type: 'integer' },
  { member: 'spaces', name: 'spaces', type: 'list', isRare: true },
  { member: 'bindings', name: 'bindings', type: 'json', isRare: true },
  { member: 'status', name: 'status', type: 'text' },
  { member: 'maskedKey', name: 'masked_key', type: 'masked' },
  { member: 'createdAt', name: 'created_at', type: 'time' },
  { member: 'createdBy', name: 'created_by', type: 'text' },
  { member: 'lastUsedAt', name: 'used_at', type: 'time' },
  { member: 'lastUsedIp', name: 'address', type: 'text' },
  { member: 'replaces', name: 'replaces', type: 'text', isRare: true },
  { member: 'externalId', name: 'external_id', type: 'text', isRare: true },
  { member: 'metadata', name: 'metadata', type: 'object', isRare: true },
];

const writer = createRowWriter(KEYS);

/** One index range for all keys that a tenant manages. */
const allOf = (fetched: number) => `
  SELECT c.* FROM credentials c
  WHERE c.tenant_id = asked.p1 AND ${OF_TENANT} AND c.issue_seq < asked.p2
  ORDER BY c.issue_seq DESC LIMIT ${fetched}`;

/** One short index range for each environment and kind, as in `credential-candidates.ts`. */
const someOf = (fetched: number) => `
  SELECT found.*
  FROM unnest(string_to_array(asked.p3, ' '), string_to_array(asked.p4, ' ')) AS e (environment, kind)
    CROSS JOIN LATERAL (
      SELECT c.* FROM credentials c
      WHERE c.tenant_id = asked.p1 AND c.environment = e.environment AND c.kind = e.kind
        AND c.issue_seq < asked.p2
      ORDER BY c.issue_seq DESC LIMIT ${fetched}) AS found
  ORDER BY found.issue_seq DESC LIMIT ${fetched}`;

/**
 * perf: the last use is looked up row by row. A join could change the order of the rows, which become one text.
 * @param range selects the keys in their order
 */
const pageOf = (range: string) => `FROM (
  SELECT c.*, u.used_at, u.address, ${STATUS} AS status
  FROM (${range}) AS c
  LEFT JOIN LATERAL (
    SELECT u.used_at, u.address FROM credential_uses u WHERE u.credential_id = c.id LIMIT 1) AS u ON true
  ) AS listed`;

const READABLE = KEY_KINDS.filter((kind) => factsOf(kind).isReadable);

/** The encrypted keys of the page by their positions. */
const SEALED = {
  names: ['id', 'ciphertext', 'ciphertext_key_id'],
  select: `json_object_agg(issue_seq, json_build_array(id, encode(ciphertext, 'hex'), ciphertext_key_id))
      FILTER (WHERE kind IN (${READABLE.map((kind) => `'${kind}'`).join(', ')})
        AND ciphertext IS NOT NULL AND ciphertext_key_id IS NOT NULL) AS sealed`,
};

interface PackedKeys extends Packed {
  readonly sealed: Readonly<Record<string, readonly [string, string, string]>> | null;
}

function readOf(fetched: number, isWhole: boolean): JoinableRead {
  return keptRead(`list-${isWhole ? 'all' : 'some'}-keys-${fetched}`, () => ({
    text: pack(KEYS, pageOf(isWhole ? allOf(fetched) : someOf(fetched)), SEALED),
    types: isWhole ? ['text', 'bigint'] : ['text', 'bigint', 'text', 'text'],
  }));
}

/**
 * Reads a page of a tenant's keys as JSON, newest first, up to one more row than asked for (perf: decision 21).
 *
 * @returns `undefined` for lists that need conditions or values beyond the index range: personal tokens, whose scopes depend
 *   on the account's role, filters without that index, and texts with control characters
 * @throws RangeError for a limit above 1,000
 */
export async function findWritten(
  manager: EntityManager,
  tenantId: string,
  filter: CredentialFilter,
  { limit, after }: PageRequest,
): Promise<readonly WrittenKey[] | undefined> {
  if (!isRange(filter)) return undefined;
  const isWhole = isOfTenant(filter);
  const packed = await readJoined<PackedKeys>(manager, readOf(rowsToFetch(limit), isWhole), [
    tenantId,
    after === undefined ? LATEST : String(after),
    ...(isWhole ? [] : rangesOf(filter)),
  ]);
  const rows = writer.writePage(packed)?.slice(0, limit + 1);
  const { sealed } = packed;
  if (sealed === null) return rows;
  return rows?.map((row) => ({ ...row, sealed: sealedOf(sealed[row.id]) }));
}

/** The environments and kinds of the ranges, each as words. */
function rangesOf({ environments, kinds }: CredentialFilter): readonly string[] {
  const ranges = environments.flatMap((environment) =>
    kinds.map((kind) => ({ environment, kind })),
  );
  return [
    ranges.map(({ environment }) => environment).join(' '),
    ranges.map(({ kind }) => kind).join(' '),
  ];
}

function sealedOf(sealed: readonly [string, string, string] | undefined): SealedKey | undefined {
  if (sealed === undefined) return undefined;
  const [id, ciphertext, ciphertextKeyId] = sealed;
  return { id, ciphertext: Buffer.from(ciphertext, 'hex'), ciphertextKeyId };
}

/** Whether the list is the ranges of its environments and kinds, and each row holds all that is shown. */
function isRange(filter: CredentialFilter): boolean {
  return (
    filter.accountId === undefined &&
    filter.externalId === undefined &&
    filter.metadata === undefined &&
    !isNarrowed(filter) &&
    filter.kinds.every((kind) => factsOf(kind).speaksAs !== 'account')
  );
}

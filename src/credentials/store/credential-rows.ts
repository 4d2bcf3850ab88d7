import type { Role } from '../../scopes/roles.js';
import type { CredentialStatus } from '../kinds.js';
import { proofKeyOf } from '../proofs/proof-subject.js';
import { ROLE, STATUS } from '../verification/verdict-sql.js';
import { currentScopes } from './listed-row.js';
import type { Credential } from './credential.entity.js';

/**
 * A stored credential with its current state. The scopes of a personal token are limited to those that its account's
 * current role delegates.
 */
export interface StoredCredential extends Readonly<
  Omit<Credential, 'tenant' | 'isExternalIdReleased'>
> {
  readonly status: CredentialStatus;
  readonly lastUsedAt: Date | null;
  readonly lastUsedAddress: string | null;
  /** The thumbprint of the key that it is bound to (RFC 9449). */
  readonly proofKey: string | null;
}

/** The columns that the database does not set. */
export type NewCredential = Omit<
  Credential,
  'createdAt' | 'tenant' | 'externalId' | 'metadata' | 'isExternalIdReleased'
> &
  Partial<Pick<Credential, 'externalId' | 'metadata'>>;

/** The columns of a credential by their members, without those that a schema may lack. */
const COLUMNS = {
  id: 'id',
  tenantId: 'tenant_id',
  kind: 'kind',
  environment: 'environment',
  name: 'name',
  scopes: 'scopes',
  spaces: 'spaces',
  principalKind: 'principal_kind',
  principalId: 'principal_id',
  bindings: 'bindings',
  parentId: 'parent_id',
  replaces: 'replaces',
  allowedIps: 'allowed_ips',
  expiresAt: 'expires_at',
  rateLimitPerMinute: 'rate_limit_per_minute',
  digest: 'digest',
  digestKeyId: 'digest_key_id',
  importedPrefix: 'imported_prefix',
  ciphertext: 'ciphertext',
  ciphertextKeyId: 'ciphertext_key_id',
  maskedKey: 'masked_key',
  subjects: 'subjects',
  issueSeq: 'issue_seq',
  createdBy: 'created_by',
} as const satisfies Partial<Record<keyof NewCredential, string>>;

const INSERTED = {
  ...COLUMNS,
  importedPattern: 'imported_pattern',
  externalId: 'external_id',
  metadata: 'metadata',
} as const satisfies Partial<Record<keyof NewCredential, string>>;

const MEMBERS = Object.keys(INSERTED) as (keyof typeof INSERTED)[];

/** perf: entities made much of the garbage of a key's creation and revocation (decision 21). */
export const INSERT = {
  name: 'insert-credential',
  text: `INSERT INTO credentials (${Object.values(INSERTED).join(', ')})
    VALUES (${MEMBERS.map((_, index) => `$${index + 1}`).join(', ')})`,
};

/** The parameters of `INSERT`. The driver would send an array of bindings as an array of the database. */
export function valuesOf({ bindings, ...fields }: NewCredential): readonly unknown[] {
  const row = { ...fields, bindings: bindings === null ? null : JSON.stringify(bindings) };
  return MEMBERS.map((member) => row[member] ?? null);
}

export const LOCK = {
  name: 'lock-credential',
  text: 'SELECT id FROM credentials WHERE tenant_id = $1 AND id = $2 FOR UPDATE',
};

/** By way of JSON, keys can be found and revoked on a schema without the columns. */
export const FIND = {
  name: 'find-credential',
  text: `SELECT ${Object.entries(COLUMNS)
    .map(([member, column]) => `c.${column} AS "${member}"`)
    .join(
      ', ',
    )}, c.created_at AS "createdAt", u.used_at AS "lastUsedAt", u.address AS "lastUsedAddress",
      to_jsonb(c) ->> 'external_id' AS "externalId", nullif(to_jsonb(c) -> 'metadata', 'null') AS metadata,
      ${STATUS} AS status, ${ROLE} AS role
    FROM credentials c LEFT JOIN credential_uses u ON u.credential_id = c.id
    WHERE c.tenant_id = $1 AND c.id = $2`,
};

/** A row of `FIND`. */
export type FoundRow = Omit<StoredCredential, 'proofKey'> & { readonly role: Role | null };

/** Reads a row of `FIND`. */
export function read({ role, ...row }: FoundRow): StoredCredential {
  return {
    ...row,
    scopes: currentScopes(row.scopes, role),
    proofKey: proofKeyOf(row.subjects.at(-1)),
  };
}

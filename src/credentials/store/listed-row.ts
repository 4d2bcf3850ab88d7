import { delegableBy, type Role } from '../../scopes/roles.js';
import { commonTo } from '../../scopes/scope-set.js';
import type { CredentialStatus, Environment, KeyKind } from '../kinds.js';
import { ROLE, STATUS } from '../verification/verdict-sql.js';
import type { Credential } from './credential.entity.js';

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

/** Milliseconds since 1970, as `Date` takes them. */
const millis = (time: string) => `floor(extract(epoch FROM ${time}) * 1000)`;

/** The order of the members in `ListedRow`. Arrays, since the names would be most of the text. */
export const ROW = `json_build_array(c.id, c.name, c.kind, c.environment, c.scopes, c.spaces, c.bindings, c.allowed_ips,
  ${millis('c.expires_at')}, c.rate_limit_per_minute, encode(c.ciphertext, 'hex'), c.ciphertext_key_id, c.masked_key,
  c.issue_seq::text, ${millis('c.created_at')}, c.created_by, c.replaces, ${STATUS}, ${ROLE}, ${millis('u.used_at')},
  u.address, c.external_id, c.metadata)`;

export type ListedRow = readonly [
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

/** Reads a row as `ROW` selects it. */
export function readListed(row: ListedRow): ListedCredential {
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

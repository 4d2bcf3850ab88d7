import { calculateJwkThumbprint } from 'jose';

import {
  type CredentialStore,
  type Keyring,
  proofSubjects,
  type RevocationStore,
  sealingContextOf,
  type SecretFormat,
  type StoredCredential,
} from '../credentials/index.js';
import { factsOf, type KeyKind } from '../credentials/kinds.js';
import { createId } from '../db/id.js';
import { storedMetadata, withFreeExternalId } from '../http/annotations.js';
import { invalid } from '../http/validation.js';
import type { Scope } from '../scopes/catalog.js';
import { commonTo } from '../scopes/scope-set.js';
import {
  authorityOf,
  grantableScopes,
  managedKinds,
  ownerOf,
  subjectsOfMember,
  type Authority,
  type KeyManager,
} from './authority.js';
import type { ACCESS, NewKey } from './key-schema.js';

/** A new key with its secret, which is shown once. */
export interface MintedKey {
  readonly key: StoredCredential;
  readonly secret: string;
}

/** The members of a new key that come from the request, or from the key that it replaces. */
export type KeyFields = Authority &
  Pick<StoredCredential, 'name' | 'bindings' | 'externalId' | 'metadata'>;

interface Replacement {
  readonly replaced: StoredCredential;
  readonly endsReplaced: boolean;
  readonly assertStillActive: (replaced: StoredCredential) => void;
}

interface Dependencies {
  readonly store: CredentialStore;
  readonly revocations: RevocationStore;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  /** @throws Problem `forbidden` */
  readonly assertWithin: (by: KeyManager, target: Authority) => Promise<void>;
}

type IssueKey = (
  by: KeyManager,
  fields: KeyFields,
  replacement?: Replacement,
) => Promise<MintedKey>;

/** Issues a key, new or as the successor of another. */
export function createIssueKey({
  store,
  revocations,
  keyring,
  format,
  assertWithin,
}: Dependencies): IssueKey {
  async function get(tenantId: string, id: string): Promise<StoredCredential> {
    const key = await store.find(tenantId, id);
    if (key === undefined) throw new Error(`credential ${id} vanished within its transaction`);
    return key;
  }

  return async (by, fields, replacement) => {
    const { tenantId } = by;
    const { replaced, endsReplaced } = replacement ?? {};
    const { prefix, principal, isReadable } = factsOf(fields.kind);
    const id = createId('key');
    const secret = format.mint(prefix[fields.environment]);
    const principalId = replaced?.principalId ?? ownPrincipal(by, fields, id);
    const subjects = [
      id,
      ...subjectsOf(tenantId, fields, principalId),
      ...proofSubjects(fields.proofKey),
    ];
    // Takes the locks of every subject that could end the new key, its creator or its predecessor: a concurrent revocation
    // is seen by the checks below, or follows and ends the new key.
    const authority = await authorityOf(store, by);
    const others = [...(authority?.subjects ?? []), ...(replaced?.subjects ?? [])];
    const ended = replaced && endsReplaced ? [replaced.id] : [];
    const issueSeq = await revocations.drawIssueOrder([...subjects, ...others], ended);
    // A key that rotates itself gets a successor of its own width, which may exceed what it can grant.
    if (replaced === undefined || replaced.id !== by.credentialId) {
      await assertWithin(by, fields);
    } else await authorityOf(store, by);
    if (replaced) replacement?.assertStillActive(await get(tenantId, replaced.id));

    const { digest, keyId } = keyring.digest(secret);
    const sealed = isReadable
      ? keyring.seal(Buffer.from(secret), sealingContextOf(id))
      : { ciphertext: null, keyId: null };
    if (replaced !== undefined) await store.releaseExternalId(tenantId, replaced.id);
    await insertWithFreeId(store, {
      ...chosenColumns(fields),
      id,
      tenantId,
      principalKind: principal,
      principalId,
      subjects,
      issueSeq,
      digest,
      digestKeyId: keyId,
      ciphertext: sealed.ciphertext,
      ciphertextKeyId: sealed.keyId,
      parentId: null,
      replaces: replaced?.id ?? null,
      importedPrefix: null,
      importedPattern: null,
      maskedKey: format.mask(secret),
      createdBy: by.actor.id,
    });
    return { key: await get(tenantId, id), secret };
  };
}

/** @throws Problem `conflict` if a key that works has the external id */
async function insertWithFreeId(
  store: CredentialStore,
  row: Parameters<CredentialStore['insert']>[0],
): Promise<void> {
  const { tenantId, externalId } = row;
  if (externalId) await store.releaseFromEnded(tenantId, externalId);
  await withFreeExternalId('key', externalId, () => store.insert(row));
}

/** The columns whose values the request chose. */
function chosenColumns(fields: KeyFields) {
  return {
    name: fields.name,
    kind: fields.kind,
    environment: fields.environment,
    scopes: [...fields.scopes],
    spaces: fields.spaces && [...fields.spaces],
    bindings: fields.bindings,
    allowedIps: fields.allowedIps && [...fields.allowedIps],
    expiresAt: fields.expiresAt,
    rateLimitPerMinute: fields.rateLimitPerMinute,
    externalId: fields.externalId,
    metadata: fields.metadata && storedMetadata(fields.metadata),
  };
}

/** The id of the principal that a new key acts for. */
function ownPrincipal(by: KeyManager, { kind }: KeyFields, id: string): string {
  const { speaksAs } = factsOf(kind);
  if (speaksAs === 'tenant') return by.tenantId;
  if (speaksAs === 'itself') return id;
  if (by.accountId !== undefined) return by.accountId;
  throw new Error(`a key of kind ${kind} is created by an account only`);
}

/** The subjects whose revocation ends it, apart from the key itself. */
function subjectsOf(tenantId: string, { kind }: KeyFields, principalId: string): readonly string[] {
  return factsOf(kind).speaksAs === 'account'
    ? subjectsOfMember(tenantId, principalId)
    : [tenantId];
}

const KIND_NOT_CREATED_HERE = {
  field: 'kind',
  code: 'invalid_enum',
  message: 'cannot be created here: personal tokens are created at /personal-access-tokens',
};

/**
 * Resolves a request for a new key: expands `access` to scopes, reduces a key to its thumbprint, and checks kind and
 * spaces.
 *
 * @throws Problem `validation_failed` for a space that the tenant does not have, or a kind that the manager cannot create
 */
export async function resolveNewKey(
  store: CredentialStore,
  by: KeyManager,
  { scopes, access, jwk, ...members }: NewKey,
): Promise<KeyFields> {
  const fields = { ...members, proofKey: jwk ? await calculateJwkThumbprint(jwk) : null };
  if (!mayCreateKind(by, fields.kind)) throw invalid([KIND_NOT_CREATED_HERE]);
  const unknown =
    fields.spaces === null ? [] : await store.unknownSpaces(by.tenantId, fields.spaces);
  if (unknown.length > 0) {
    const message = `is not a space of this tenant: ${unknown.join(', ')}`;
    throw invalid([{ field: 'spaces', code: 'invalid_value', message }]);
  }
  if (scopes !== undefined) return { ...fields, scopes };
  const authority = await authorityOf(store, by);
  const grantable = authority === undefined ? [] : grantableScopes(authority);
  return { ...fields, scopes: expandAccess(access ?? 'read', fields.kind, grantable) };
}

/**
 * The scopes that `access` stands for: all that can be granted and the kind can carry, or the reading ones of them. They
 * are stored, and so do not grow with the role.
 */
export function expandAccess(
  access: (typeof ACCESS)[number],
  kind: KeyKind,
  grantable: readonly Scope[],
): readonly Scope[] {
  const isRequested = (scope: Scope) => access === 'write' || scope.endsWith(':read');
  return commonTo(grantable, factsOf(kind).carries).filter(isRequested);
}

/** Personal tokens are created by their account, all other kinds by managers of the tenant's keys and the operator. */
function mayCreateKind(by: KeyManager, kind: NewKey['kind']): boolean {
  const isPersonal = factsOf(kind).speaksAs === 'account';
  return managedKinds(by).includes(kind) && isPersonal === (ownerOf(by) !== undefined);
}

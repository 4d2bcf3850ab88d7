import type { CredentialStore, StoredCredential } from '../credentials/credential-store.js';
import type { Keyring } from '../credentials/keyring.js';
import { factsOf } from '../credentials/kinds.js';
import { sealingContextOf } from '../credentials/sealed-secret.js';
import type { RevocationStore } from '../credentials/revocation-store.js';
import type { SecretFormat } from '../credentials/secret-format.js';
import { createId } from '../db/id.js';
import { authorityOf, subjectsOfMember, type Authority, type KeyManager } from './authority.js';

/** A key with the secret that is shown this once. */
export interface MintedKey {
  readonly key: StoredCredential;
  readonly secret: string;
}

/** What a new key takes from a request, or from the key that it replaces. */
export type Minted = Authority & Pick<StoredCredential, 'name' | 'bindings'>;

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

type Mint = (by: KeyManager, fields: Minted, replacement?: Replacement) => Promise<MintedKey>;

/** Makes the function that issues a key, new or in the place of another. */
export function createKeyMint({
  store,
  revocations,
  keyring,
  format,
  assertWithin,
}: Dependencies): Mint {
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
    const subjects = [id, ...subjectsOf(tenantId, fields, principalId)];
    // Under the locks of everything that could end the new key, its maker or what it takes over
    // from: a revocation is either seen by the checks that follow, or comes after the new key.
    const authority = await authorityOf(store, by);
    const owedTo = [...(authority?.subjects ?? []), ...(replaced?.subjects ?? [])];
    const ending = replaced && endsReplaced ? [replaced.id] : [];
    const issueSeq = await revocations.drawIssueOrder([...subjects, ...owedTo], ending);
    // What takes over from its own maker is as wide as that is, whatever it can hand on.
    if (replaced === undefined || replaced.id !== by.credentialId) {
      await assertWithin(by, fields);
    } else await authorityOf(store, by);
    if (replaced) replacement?.assertStillActive(await get(tenantId, replaced.id));

    const { digest, keyId } = keyring.digest(secret);
    const sealed = isReadable
      ? keyring.seal(Buffer.from(secret), sealingContextOf(id))
      : { ciphertext: null, keyId: null };
    await store.insert({
      name: fields.name,
      kind: fields.kind,
      environment: fields.environment,
      scopes: [...fields.scopes],
      spaces: fields.spaces && [...fields.spaces],
      bindings: fields.bindings,
      allowedIps: fields.allowedIps && [...fields.allowedIps],
      expiresAt: fields.expiresAt,
      rateLimitPerMinute: fields.rateLimitPerMinute,
      ...{ id, tenantId, principalKind: principal, principalId, subjects, issueSeq, digest },
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

/** Whom a new key speaks for. */
function ownPrincipal(by: KeyManager, { kind }: Minted, id: string): string {
  const { speaksAs } = factsOf(kind);
  if (speaksAs === 'tenant') return by.tenantId;
  if (speaksAs === 'itself') return id;
  if (by.accountId !== undefined) return by.accountId;
  throw new Error(`a key of kind ${kind} is made by an account only`);
}

/** What ends it, apart from its own revocation. */
function subjectsOf(tenantId: string, { kind }: Minted, principalId: string): readonly string[] {
  return factsOf(kind).speaksAs === 'account'
    ? subjectsOfMember(tenantId, principalId)
    : [tenantId];
}

import type { EntityManager } from 'typeorm';

import { createAuditLog, type Actor } from '../audit/audit-log.js';
import {
  createCredentialStore,
  type CredentialChange,
  type StoredCredential,
} from '../credentials/credential-store.js';
import type { Keyring } from '../credentials/keyring.js';
import { KINDS } from '../credentials/kinds.js';
import { createRevocationStore } from '../credentials/revocation-store.js';
import type { SecretFormat } from '../credentials/secret-format.js';
import { createId, isId } from '../db/id.js';
import { Problem } from '../http/problem.js';
import { excess, manageableFrom, type Reach } from './ceiling.js';
import type { KeyChange, NewKey } from './key-schema.js';

/** Who manages keys: the operator, whom nothing limits, or the holder of a credential. */
export interface KeyManager {
  readonly actor: Actor;
  readonly tenantId: string;
  /** Absent for the operator. */
  readonly credentialId?: string;
}

/** A key with the secret that is shown this once. */
export interface MintedKey {
  readonly key: StoredCredential;
  readonly secret: string;
}

/**
 * Making, changing and ending API keys. Every function throws the Problem that says why not:
 * `forbidden` for whatever would reach further than its maker, `not_found` (also for other
 * tenants' keys), `conflict` for what is at odds with the key's state.
 */
export interface KeyService {
  create(by: KeyManager, fields: NewKey): Promise<MintedKey>;
  find(by: KeyManager, id: string): Promise<StoredCredential>;
  change(by: KeyManager, id: string, change: KeyChange): Promise<StoredCredential>;
  /** A new key like the old one, which goes on working for `graceSeconds`. */
  rotate(by: KeyManager, id: string, graceSeconds: number): Promise<MintedKey>;
  /** @param confirm the key's name, typed to make sure; checked if given */
  revoke(by: KeyManager, id: string, reason: string | null, confirm?: string): Promise<void>;
}

/** What a new key takes from a request, or from the key that it replaces. */
type Minted = Readonly<Omit<NewKey, 'kind'>> &
  Pick<StoredCredential, 'kind' | 'spaces' | 'bindings'>;

interface Dependencies {
  /** A transaction's: what is made or ended commits with its audit entry. */
  readonly manager: EntityManager;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
}

export function createKeyService({ manager, keyring, format }: Dependencies): KeyService {
  const store = createCredentialStore(manager);
  const revocations = createRevocationStore(manager);
  const audit = createAuditLog(manager);

  /** The caller as it is now, not as it was when the request came in. */
  async function ceilingOf({
    tenantId,
    credentialId,
  }: KeyManager): Promise<StoredCredential | undefined> {
    if (credentialId === undefined) return undefined;
    const caller = await store.find(tenantId, credentialId);
    if (caller?.status === 'active') return caller;
    throw new Problem('unauthorized', 'The credential is not valid any more.');
  }

  async function assertWithinReach(by: KeyManager, reach: Reach): Promise<void> {
    const ceiling = await ceilingOf(by);
    const wider = ceiling === undefined ? [] : excess(reach, ceiling);
    if (wider.length === 0) return;
    throw new Problem(
      'forbidden',
      `This reaches further than your own credential: ${wider.join(', ')}.`,
    );
  }

  async function assertFuture(expiresAt: Date | null | undefined): Promise<void> {
    if (!expiresAt || expiresAt > (await store.now())) return;
    const error = { field: 'expiresAt', code: 'invalid_value', message: 'must be in the future' };
    throw new Problem('validation_failed', 'Invalid: expiresAt.', { errors: [error] });
  }

  async function findManageable(
    by: KeyManager,
    id: string,
    how: 'find' | 'findForUpdate',
  ): Promise<StoredCredential> {
    const caller = await ceilingOf(by);
    const key = isId('key', id) ? await store[how](by.tenantId, id) : undefined;
    const isVisible =
      caller === undefined || (key && manageableFrom(caller.environment).includes(key.environment));
    if (key?.kind === 'secret' && isVisible) return key;
    throw new Problem('not_found', 'There is no such key.');
  }

  async function mint(
    by: KeyManager,
    fields: Minted,
    {
      replaced,
      endsReplaced = false,
    }: { replaced?: StoredCredential; endsReplaced?: boolean } = {},
  ): Promise<MintedKey> {
    const { tenantId } = by;
    const id = createId('key');
    const secret = format.mint(KINDS[fields.kind].prefix[fields.environment]);
    // Under the locks of everything that could end the new key, its maker or what it takes over
    // from: a revocation is either seen by the checks that follow, or comes after the new key.
    const caller = await ceilingOf(by);
    const subjects = [id, tenantId];
    const owedTo = [...(caller?.subjects ?? []), ...(replaced?.subjects ?? [])];
    const ending = replaced && endsReplaced ? [replaced.id] : [];
    const issueSeq = await revocations.drawIssueOrder([...subjects, ...owedTo], ending);
    await assertWithinReach(by, fields);
    if (replaced) assertActive(await getStored(tenantId, replaced.id), 'rotated');

    const { digest, keyId } = keyring.digest(secret);
    await store.insert({
      name: fields.name,
      kind: fields.kind,
      environment: fields.environment,
      scopes: [...fields.scopes],
      spaces: fields.spaces,
      bindings: fields.bindings,
      allowedIps: fields.allowedIps,
      expiresAt: fields.expiresAt,
      rateLimitPerMinute: fields.rateLimitPerMinute,
      id,
      tenantId,
      principalKind: KINDS[fields.kind].principal,
      principalId: replaced?.principalId ?? tenantId,
      parentId: null,
      replaces: replaced?.id ?? null,
      digest,
      digestKeyId: keyId,
      ciphertext: null,
      ciphertextKeyId: null,
      maskedKey: format.mask(secret),
      subjects,
      issueSeq,
      createdBy: by.actor.id,
    });
    return { key: await getStored(tenantId, id), secret };
  }

  async function getStored(tenantId: string, id: string): Promise<StoredCredential> {
    const key = await store.find(tenantId, id);
    if (key === undefined) throw new Error(`credential ${id} vanished within its transaction`);
    return key;
  }

  return {
    find: (by, id) => findManageable(by, id, 'find'),

    async create(by, fields) {
      await assertFuture(fields.expiresAt);
      const minted = await mint(by, { ...fields, spaces: null, bindings: null });
      const { id, name, kind, environment, scopes } = minted.key;
      await audit.record(by.actor, {
        tenantId: by.tenantId,
        action: 'api_key.create',
        subject: id,
        details: { name, kind, environment, scopes },
      });
      return minted;
    },

    async change(by, id, change) {
      const key = await findManageable(by, id, 'findForUpdate');
      if (by.credentialId === id) throw new Problem('forbidden', 'A key cannot alter itself.');
      assertActive(key, 'altered');
      const fields = presentMembers(change);
      await assertWithinReach(by, key);
      await assertWithinReach(by, { ...key, ...fields });
      await assertFuture(fields.expiresAt);
      await store.update(by.tenantId, id, fields);
      await audit.record(by.actor, {
        tenantId: by.tenantId,
        action: 'api_key.update',
        subject: id,
        details: { before: pick(key, fields), after: fields },
      });
      return getStored(by.tenantId, id);
    },

    async rotate(by, id, graceSeconds) {
      const old = await findManageable(by, id, 'findForUpdate');
      assertActive(old, 'rotated');
      // A second successor would inherit the end that the first rotation has set.
      if (await store.isReplaced(by.tenantId, id)) {
        throw new Problem('conflict', 'The key was rotated already: rotate its successor.');
      }
      const minted = await mint(by, old, { replaced: old, endsReplaced: graceSeconds === 0 });
      if (graceSeconds > 0) await store.expireWithin(by.tenantId, id, graceSeconds);
      else await revocations.revoke(id, by.actor.id, 'rotated');
      await audit.record(by.actor, {
        tenantId: by.tenantId,
        action: 'api_key.rotate',
        subject: id,
        details: { replacedBy: minted.key.id, graceSeconds },
      });
      return minted;
    },

    async revoke(by, id, reason, confirm) {
      const key = await findManageable(by, id, 'findForUpdate');
      if (confirm !== undefined && confirm !== key.name) {
        throw new Problem('conflict', 'The name given to confirm is not the name of this key.');
      }
      // It stays revoked; saying so again is no error and leaves no second trace.
      if (key.status === 'revoked') return;
      await revocations.revoke(id, by.actor.id, reason);
      await audit.record(by.actor, {
        tenantId: by.tenantId,
        action: 'api_key.revoke',
        subject: id,
        details: { name: key.name, reason },
      });
    },
  };
}

function assertActive(key: StoredCredential, verb: string): void {
  if (key.status === 'active') return;
  throw new Problem('conflict', `The key is ${key.status} and cannot be ${verb}.`);
}

/** The values of the changed members, as the audit log keeps them. */
function pick(values: CredentialChange, changed: CredentialChange): CredentialChange {
  const members = Object.keys(changed) as (keyof CredentialChange)[];
  return Object.fromEntries(members.map((member) => [member, values[member]]));
}

function presentMembers(change: KeyChange): CredentialChange {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}

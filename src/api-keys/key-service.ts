import type { EntityManager } from 'typeorm';

import { createAuditLog } from '../audit/index.js';
import {
  createCredentialStore,
  createRevocationStore,
  type CredentialChange,
  type Keyring,
  type SecretFormat,
  type StoredCredential,
} from '../credentials/index.js';
import { storedMetadata, withFreeExternalId } from '../http/annotations.js';
import { Problem } from '../http/errors/problem.js';
import type { KeyManager } from './authority.js';
import { createIssueKey, resolveNewKey, type MintedKey } from './issue-key.js';
import type { NewKeyMail } from './new-key-mail.js';
import type { KeyChange, NewKey } from './key-schema.js';
import { createConfirmation, createKeyChecks, createKeyFinder } from './key-checks.js';

/**
 * Creates, changes, rotates and revokes API keys and personal tokens. Every function throws a Problem: `forbidden` for a
 * credential that exceeds the manager's authority; `not_found` for a key that does not exist, belongs to another tenant or
 * account, or is outside of the manager's environment and spaces; `conflict` for an operation that the key's status does
 * not allow.
 */
export interface KeyService {
  create(by: KeyManager, fields: NewKey): Promise<MintedKey>;
  find(by: KeyManager, id: string): Promise<StoredCredential>;
  change(by: KeyManager, id: string, change: KeyChange): Promise<StoredCredential>;
  /** Creates a key like the old one, which remains valid for `graceSeconds`. */
  rotate(by: KeyManager, id: string, graceSeconds: number): Promise<MintedKey>;
  /**
   * Needs the same authority as `change`. Every key may revoke itself.
   * @param confirm the key's name; required for a key that was used recently, except for the operator and the key itself
   */
  revoke(by: KeyManager, id: string, reason: string | null, confirm?: string): Promise<void>;
}

interface Dependencies {
  /** Manager of a transaction: a change and its audit entry commit together. */
  readonly manager: EntityManager;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  /** Requests per minute for `rateLimitPerMinute: null`; 0 for unlimited. */
  readonly defaultRateLimit: number;
  /** Seconds since the last use that is not stored yet, if known. */
  readonly secondsSinceUse?: (credentialId: string) => number | undefined;
  /** Tells people of a new key; nobody is told if it is absent. */
  readonly notify?: NewKeyMail;
}

export function createKeyService(dependencies: Dependencies): KeyService {
  const parts = createParts(dependencies);
  const { store, audit, assertWithin, assertFuture, assertRoom, assertEndStays } = parts;
  const { findManageable, issueKey, notify } = parts;
  return {
    find: (by, id) => findManageable(by, id, 'find'),

    async create(by, fields) {
      await assertFuture(fields.expiresAt);
      await assertRoom(by, false);
      const minted = await issueKey(by, await resolveNewKey(store, by, fields));
      const { id, name, kind, environment, scopes, spaces } = minted.key;
      await audit.record(by.actor, {
        tenantId: by.tenantId,
        action: 'api_key.create',
        subject: id,
        details: { name, kind, environment, scopes, ...(spaces && { spaces }) },
      });
      await notify(by, minted.key);
      return minted;
    },

    async change(by, id, change) {
      const key = await findManageable(by, id, 'findForUpdate');
      if (by.credentialId === id) throw new Problem('forbidden', 'A key cannot change itself.');
      assertActive(key, 'altered');
      const fields = presentMembers(change);
      await assertWithin(by, key);
      await assertWithin(by, { ...key, ...fields });
      await assertEndStays(by, key, fields);
      await assertFuture(fields.expiresAt);
      const { externalId } = fields;
      if (externalId) await store.releaseFromEnded(by.tenantId, externalId);
      await withFreeExternalId('key', externalId, () => store.update(by.tenantId, id, fields));
      await audit.record(by.actor, {
        tenantId: by.tenantId,
        action: 'api_key.update',
        subject: id,
        details: { before: pick(key, fields), after: fields },
      });
      return findManageable(by, id, 'find');
    },
    ...createKeyEnds(parts),
  };
}

type Parts = ReturnType<typeof createParts>;

function createParts(dependencies: Dependencies) {
  const { manager, keyring, format, secondsSinceUse = () => undefined } = dependencies;
  const store = createCredentialStore(manager);
  const revocations = createRevocationStore(manager);
  const checks = createKeyChecks({ ...dependencies, store });
  const { assertWithin } = checks;
  return {
    store,
    revocations,
    audit: createAuditLog(manager),
    notify: async (by: KeyManager, key: StoredCredential) =>
      dependencies.notify?.(manager, by, key),
    ...checks,
    ...createKeyFinder(store),
    assertConfirmed: createConfirmation(store, secondsSinceUse),
    issueKey: createIssueKey({ store, revocations, keyring, format, assertWithin }),
  };
}

/** The operations that end a key. */
function createKeyEnds(parts: Parts): Pick<KeyService, 'rotate' | 'revoke'> {
  const { store, revocations, audit, findManageable, findOwn, issueKey } = parts;
  const { assertWithin, assertRoom, assertConfirmed, notify } = parts;
  return {
    async rotate(by, id, graceSeconds) {
      const old = await findManageable(by, id, 'findForUpdate');
      assertActive(old, 'rotated');
      // A second successor would inherit the expiry that the first rotation set.
      if (await store.isReplaced(by.tenantId, id)) {
        throw new Problem('conflict', 'The key was rotated already: rotate its successor.');
      }
      const endsReplaced = graceSeconds === 0;
      await assertRoom(by, endsReplaced);
      const minted = await issueKey(by, old, {
        replaced: old,
        endsReplaced,
        assertStillActive: (now) => assertActive(now, 'rotated'),
      });
      if (endsReplaced) await revocations.revoke(id, by.actor.id, 'rotated');
      else await store.expireWithin(by.tenantId, id, graceSeconds);
      await audit.record(by.actor, {
        tenantId: by.tenantId,
        action: 'api_key.rotate',
        subject: id,
        details: { replacedBy: minted.key.id, graceSeconds },
      });
      await notify(by, minted.key);
      return minted;
    },

    async revoke(by, id, reason, confirm) {
      const isOwn = by.credentialId === id;
      const key = isOwn ? await findOwn(by, id) : await findManageable(by, id, 'findForUpdate');
      if (!isOwn) await assertWithin(by, key);
      await assertConfirmed(by, key, confirm);
      // Idempotent, with one audit entry.
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

/** The values of the changed members, for the audit log. */
function pick(values: CredentialChange, changed: CredentialChange): CredentialChange {
  const members = Object.keys(changed) as (keyof CredentialChange)[];
  return Object.fromEntries(members.map((member) => [member, values[member]]));
}

function presentMembers({ metadata, ...change }: KeyChange): CredentialChange {
  return {
    ...Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)),
    ...(metadata !== undefined && { metadata: storedMetadata(metadata) }),
  };
}

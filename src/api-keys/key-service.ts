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
import { isId } from '../db/id.js';
import { Problem } from '../http/errors/problem.js';
import { invalid } from '../http/validation.js';
import {
  authorityOf,
  exceeded,
  liesWithin,
  ownerOf,
  managedKinds,
  type Authority,
  type KeyManager,
} from './authority.js';
import { createIssueKey, resolveNewKey, type MintedKey } from './issue-key.js';
import type { KeyChange, NewKey } from './key-schema.js';
import { assertRoomForToken } from './token-limit.js';

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
  /** Of a transaction, so that a change and its audit entry commit together. */
  readonly manager: EntityManager;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  /** Requests per minute for `rateLimitPerMinute: null`; 0 for unlimited. */
  readonly defaultRateLimit: number;
  /** Seconds since the last use that is not stored yet, if known. */
  readonly secondsSinceUse?: (credentialId: string) => number | undefined;
}

/** Revoking a key that was used within these days needs `confirm`. */
const RECENT_USE_DAYS = 7;
const USED_LATELY_MS = RECENT_USE_DAYS * 24 * 3600 * 1000;

export function createKeyService({
  manager,
  keyring,
  format,
  defaultRateLimit,
  secondsSinceUse = () => undefined,
}: Dependencies): KeyService {
  const store = createCredentialStore(manager);
  const revocations = createRevocationStore(manager);
  const audit = createAuditLog(manager);

  async function assertWithin(by: KeyManager, target: Authority): Promise<void> {
    const authority = await authorityOf(store, by);
    const wider = authority === undefined ? [] : exceeded(target, authority, defaultRateLimit);
    if (wider.length === 0) return;
    throw new Problem('forbidden', `This exceeds your own authority: ${wider.join(', ')}.`);
  }

  const issueKey = createIssueKey({ store, revocations, keyring, format, assertWithin });

  async function assertFuture(expiresAt: Date | null | undefined): Promise<void> {
    if (!expiresAt || expiresAt > (await store.now())) return;
    const message = 'must be in the future';
    throw invalid([{ field: 'expiresAt', code: 'invalid_value', message }]);
  }

  async function assertRoom(by: KeyManager, isReplacement: boolean): Promise<void> {
    const accountId = ownerOf(by);
    const { tenantId } = by;
    if (accountId === undefined) return;
    await assertRoomForToken(manager, { accountId, tenantId }, isReplacement);
  }

  async function findManageable(
    by: KeyManager,
    id: string,
    how: 'find' | 'findForUpdate',
  ): Promise<StoredCredential> {
    const authority = await authorityOf(store, by);
    const key = isId('key', id) ? await store[how](by.tenantId, id) : undefined;
    const isVisible =
      key !== undefined &&
      managedKinds(by).includes(key.kind) &&
      [undefined, key.principalId].includes(ownerOf(by)) &&
      (authority === undefined || liesWithin(key, authority));
    if (isVisible) return key;
    return notFound();
  }

  /** The manager's own credential, of any kind. */
  async function findOwn(by: KeyManager, id: string): Promise<StoredCredential> {
    await authorityOf(store, by);
    return (await store.findForUpdate(by.tenantId, id)) ?? notFound();
  }

  /** The expiry of a rotated key cannot be extended beyond its grace time. */
  async function assertEndStays(
    { tenantId }: KeyManager,
    key: StoredCredential,
    { expiresAt }: CredentialChange,
  ): Promise<void> {
    const isEarlier = expiresAt && key.expiresAt && expiresAt <= key.expiresAt;
    if (expiresAt === undefined || isEarlier || !(await store.isReplaced(tenantId, key.id))) return;
    throw new Problem(
      'conflict',
      'The key was rotated: its expiry can only be moved to an earlier time.',
    );
  }

  async function isUsedLately(key: StoredCredential): Promise<boolean> {
    const secondsAgo = secondsSinceUse(key.id);
    if (secondsAgo !== undefined && secondsAgo * 1000 < USED_LATELY_MS) return true;
    if (key.lastUsedAt === null) return false;
    return (await store.now()).getTime() - key.lastUsedAt.getTime() < USED_LATELY_MS;
  }

  async function assertConfirmed(
    by: KeyManager,
    key: StoredCredential,
    confirm: string | undefined,
  ): Promise<void> {
    const isOperator = by.credentialId === undefined && by.accountId === undefined;
    if (confirm === key.name) return;
    if (confirm !== undefined) {
      throw new Problem('conflict', 'The value of confirm is not the name of this key.');
    }
    // The holder of a key can revoke it at the revocation endpoint without confirmation. A revoked key needs none either.
    const isOwn = by.credentialId === key.id;
    if (isOperator || isOwn || key.status === 'revoked' || !(await isUsedLately(key))) return;
    throw new Problem(
      'conflict',
      `The key was used within the last ${RECENT_USE_DAYS} days: send its name as "confirm".`,
    );
  }

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
      await store.update(by.tenantId, id, fields);
      await audit.record(by.actor, {
        tenantId: by.tenantId,
        action: 'api_key.update',
        subject: id,
        details: { before: pick(key, fields), after: fields },
      });
      return findManageable(by, id, 'find');
    },

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

function notFound(): never {
  throw new Problem('not_found', 'Key not found.');
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

function presentMembers(change: KeyChange): CredentialChange {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}

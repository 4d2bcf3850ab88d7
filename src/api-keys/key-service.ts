import type { EntityManager } from 'typeorm';

import { createAuditLog } from '../audit/audit-log.js';
import {
  createCredentialStore,
  type CredentialChange,
  type StoredCredential,
} from '../credentials/credential-store.js';
import type { Keyring } from '../credentials/keyring.js';
import { reachableFrom } from '../credentials/kinds.js';
import { createRevocationStore } from '../credentials/revocation-store.js';
import type { SecretFormat } from '../credentials/secret-format.js';
import { isId } from '../db/id.js';
import { Problem } from '../http/problem.js';
import { invalid } from '../http/validation.js';
import { excess, type Reach } from './ceiling.js';
import { ceilingOf, managedKinds, type KeyManager } from './key-manager.js';
import { createKeyMint, type MintedKey } from './key-mint.js';
import type { KeyChange, NewKey } from './key-schema.js';
import { settleNewKey } from './new-key.js';
import { assertRoomForToken } from './token-limit.js';

/**
 * Making, changing and ending API keys and personal tokens. Every function throws the Problem that
 * says why not: `forbidden` for whatever would reach further than its maker, `not_found` (also for
 * keys of others), `conflict` for what is at odds with the key's state.
 */
export interface KeyService {
  create(by: KeyManager, fields: NewKey): Promise<MintedKey>;
  find(by: KeyManager, id: string): Promise<StoredCredential>;
  change(by: KeyManager, id: string, change: KeyChange): Promise<StoredCredential>;
  /** A new key like the old one, which goes on working for `graceSeconds`. */
  rotate(by: KeyManager, id: string, graceSeconds: number): Promise<MintedKey>;
  /**
   * @param confirm the key's name, typed to make sure; has to be given for a key that was used lately,
   *   except by the operator and the key itself
   */
  revoke(by: KeyManager, id: string, reason: string | null, confirm?: string): Promise<void>;
}

interface Dependencies {
  /** A transaction's: what is made or ended commits with its audit entry. */
  readonly manager: EntityManager;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  /** How long ago a credential was used, as far as that is known but not stored yet. */
  readonly secondsSinceUse?: (credentialId: string) => number | undefined;
}

/** Whoever ends a key that was used within these days has to type its name. */
const USED_LATELY_DAYS = 7;
const USED_LATELY_MS = USED_LATELY_DAYS * 24 * 3600 * 1000;

export function createKeyService({
  manager,
  keyring,
  format,
  secondsSinceUse = () => undefined,
}: Dependencies): KeyService {
  const store = createCredentialStore(manager);
  const revocations = createRevocationStore(manager);
  const audit = createAuditLog(manager);

  async function assertWithinReach(by: KeyManager, reach: Reach): Promise<void> {
    const ceiling = await ceilingOf(store, by);
    const wider = ceiling === undefined ? [] : excess(reach, ceiling);
    if (wider.length === 0) return;
    throw new Problem('forbidden', `This reaches further than your own: ${wider.join(', ')}.`);
  }

  const mint = createKeyMint({ store, revocations, keyring, format, assertWithinReach });

  async function assertFuture(expiresAt: Date | null | undefined): Promise<void> {
    if (!expiresAt || expiresAt > (await store.now())) return;
    const message = 'must lie in the future';
    throw invalid([{ field: 'expiresAt', code: 'invalid_value', message }]);
  }

  async function assertRoom(
    { accountId, tenantId }: KeyManager,
    isReplacement: boolean,
  ): Promise<void> {
    if (accountId === undefined) return;
    await assertRoomForToken(manager, { accountId, tenantId }, isReplacement);
  }

  async function findManageable(
    by: KeyManager,
    id: string,
    how: 'find' | 'findForUpdate',
  ): Promise<StoredCredential> {
    const ceiling = await ceilingOf(store, by);
    const key = isId('key', id) ? await store[how](by.tenantId, id) : undefined;
    const isVisible =
      key !== undefined &&
      managedKinds(by).includes(key.kind) &&
      (by.accountId === undefined || by.accountId === key.principalId) &&
      (ceiling === undefined || reachableFrom(ceiling.environment).includes(key.environment));
    if (isVisible) return key;
    throw new Problem('not_found', 'There is no such key.');
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
      throw new Problem('conflict', 'The name given to confirm is not the name of this key.');
    }
    // Whoever holds a key can end it at the revocation endpoint as well. What is revoked stays so: there is
    // nothing left to be sure of.
    const isOwn = by.credentialId === key.id;
    if (isOperator || isOwn || key.status === 'revoked' || !(await isUsedLately(key))) return;
    throw new Problem(
      'conflict',
      `The key was used within the last ${USED_LATELY_DAYS} days: send its name as "confirm".`,
    );
  }

  return {
    find: (by, id) => findManageable(by, id, 'find'),

    async create(by, fields) {
      await assertFuture(fields.expiresAt);
      await assertRoom(by, false);
      const minted = await mint(by, await settleNewKey(store, by, fields));
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
      return findManageable(by, id, 'find');
    },

    async rotate(by, id, graceSeconds) {
      const old = await findManageable(by, id, 'findForUpdate');
      assertActive(old, 'rotated');
      // A second successor would inherit the end that the first rotation has set.
      if (await store.isReplaced(by.tenantId, id)) {
        throw new Problem('conflict', 'The key was rotated already: rotate its successor.');
      }
      const endsReplaced = graceSeconds === 0;
      await assertRoom(by, endsReplaced);
      const minted = await mint(by, old, {
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
      const key = await findManageable(by, id, 'findForUpdate');
      await assertConfirmed(by, key, confirm);
      // Saying so again is no error and leaves no second trace.
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

import type { EntityManager } from 'typeorm';

import type { CredentialChange, CredentialStore, StoredCredential } from '../credentials/index.js';
import { isId } from '../db/id.js';
import { Problem } from '../http/errors/problem.js';
import { invalid } from '../http/validation.js';
import {
  authorityOf,
  exceeded,
  liesWithin,
  managedKinds,
  ownerOf,
  type Authority,
  type KeyManager,
} from './authority.js';
import { assertRoomForToken } from './token-limit.js';

interface Dependencies {
  readonly manager: EntityManager;
  readonly store: CredentialStore;
  /** Requests per minute for `rateLimitPerMinute: null`; 0 for unlimited. */
  readonly defaultRateLimit: number;
}

/** The checks of what a manager may do with a key. */
export function createKeyChecks({ manager, store, defaultRateLimit }: Dependencies) {
  async function assertWithin(by: KeyManager, target: Authority): Promise<void> {
    const authority = await authorityOf(store, by);
    const wider = authority === undefined ? [] : exceeded(target, authority, defaultRateLimit);
    if (wider.length === 0) return;
    throw new Problem('forbidden', `This exceeds your own authority: ${wider.join(', ')}.`);
  }

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

  return { assertWithin, assertFuture, assertRoom, assertEndStays };
}

/** Finds the keys that a manager may change. */
export function createKeyFinder(store: CredentialStore) {
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

  return { findManageable, findOwn };
}

/** Revoking a key that was used within these days needs `confirm`. */
const RECENT_USE_DAYS = 7;
const USED_LATELY_MS = RECENT_USE_DAYS * 24 * 3600 * 1000;

/** Makes the check that a manager means the key that they revoke. */
export function createConfirmation(
  store: Pick<CredentialStore, 'now'>,
  secondsSinceUse: (credentialId: string) => number | undefined,
) {
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

  return assertConfirmed;
}

function notFound(): never {
  throw new Problem('not_found', 'Key not found.');
}

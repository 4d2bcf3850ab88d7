import type { EntityManager } from 'typeorm';

import type { CredentialChange, CredentialStore, StoredCredential } from '../credentials/index.js';
import { IS_EXPIRED, IS_REVOKED } from '../credentials/tables.js';
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

/** Maximum active personal tokens of an account in a tenant. */
const MAX_ACTIVE = 100;
/** Maximum personal tokens created within a day, rotations included: rows of ended tokens are kept. */
const MAX_A_DAY = 300;
const DAY_SECONDS = 86_400;

const OF_OWNER = `c.principal_kind = 'user' AND c.principal_id = $1 AND c.tenant_id = $2`;

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

  return { assertWithin, assertFuture, assertEndStays, assertRoom: createRoomCheck(manager) };
}

/**
 * Makes the check of the number of an account's personal tokens. It serializes their creation until the transaction ends.
 * `isReplacement`: whether another token ends in the same transaction. Managers of a tenant's keys have no such limit.
 *
 * @throws Problem `conflict` for too many active tokens; `rate_limited` for too many created within a day
 */
function createRoomCheck(manager: EntityManager) {
  return async (by: KeyManager, isReplacement: boolean): Promise<void> => {
    const accountId = ownerOf(by);
    const { tenantId } = by;
    if (accountId === undefined) return;
    await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
      `personal tokens of ${accountId}@${tenantId}`,
    ]);
    const [recent] = await manager.query<{ wait: number }[]>(
      `SELECT ceil(extract(epoch FROM c.created_at + make_interval(secs => $4) - gatehouse_now()))::int AS wait
       FROM credentials c WHERE ${OF_OWNER} ORDER BY c.issue_seq DESC OFFSET $3 LIMIT 1`,
      [accountId, tenantId, MAX_A_DAY - 1, DAY_SECONDS],
    );
    if (recent !== undefined && recent.wait > 0) {
      throw new Problem(
        'rate_limited',
        `You have created ${MAX_A_DAY} personal tokens within a day. Try again later.`,
        { headers: { 'Retry-After': String(recent.wait) } },
      );
    }
    if (isReplacement) return;
    const [living] = await manager.query<[{ count: number }]>(
      `SELECT count(*)::int FROM credentials c
       WHERE ${OF_OWNER} AND NOT ${IS_EXPIRED} AND NOT ${IS_REVOKED}`,
      [accountId, tenantId],
    );
    if (living.count < MAX_ACTIVE) return;
    throw new Problem(
      'conflict',
      `You have ${MAX_ACTIVE} personal tokens in this organization, which is the maximum. Revoke one first.`,
    );
  };
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

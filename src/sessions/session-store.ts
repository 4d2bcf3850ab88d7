import type { EntityManager } from 'typeorm';

import type { Keyring } from '../credentials/keyring.js';
import { createRevocationStore } from '../credentials/revocation-store.js';
import { IS_REVOKED } from '../credentials/verdict-sql.js';
import { inBatches } from '../db/batches.js';

/** A session as it is to be stored. */
export interface NewSession {
  /** Its name towards the user and other records; stays when the secret changes. */
  readonly id: string;
  /** What the cookie holds. Only its digest is stored. */
  readonly secret: string;
  /** Who signed in, `null` before anybody has. */
  readonly accountId: string | null;
  /** What the protocol keeps with it, without the secret. */
  readonly payload: object;
  readonly address: string | null;
  readonly userAgent: string | null;
  readonly ttlSeconds: number;
  /** Its place in the order of issues, if it goes on, though under a new secret; absent if it begins. */
  readonly issueSeq?: string | undefined;
}

/** A session that is still good. */
export interface StoredSession {
  readonly id: string;
  readonly accountId: string | null;
  readonly payload: object;
  readonly issueSeq: string;
  readonly remainingSeconds: number;
}

/** A session as it is shown to whom it belongs. */
export interface ListedSession {
  readonly id: string;
  readonly address: string | null;
  readonly userAgent: string | null;
  readonly createdAt: Date;
  readonly seenAt: Date;
  readonly expiresAt: Date;
}

/**
 * Browsers that signed in. A session belongs to its account in the order of issues and revocations
 * from the moment of signing in: revoking the account (`usr_…`) ends it like any token.
 */
export interface SessionStore {
  /**
   * Stores a session, or what has become of it. Its place in the order of issues is drawn when it is
   * bound to an account, and kept as long as it goes on.
   *
   * @returns false if it was ended meanwhile: a request that still had it must not revive it. A new
   *   secret, as after signing in again, is a new beginning
   * @throws Error if the payload holds the secret
   */
  save(session: NewSession): Promise<boolean>;
  findBySecret(secret: string): Promise<StoredSession | undefined>;
  findById(id: string): Promise<StoredSession | undefined>;
  destroyBySecret(secret: string): Promise<void>;
  /** Those that are still good, the latest first. */
  listOfAccount(accountId: string): Promise<readonly ListedSession[]>;
  /** @returns how many were ended */
  endAllOf(accountId: string, exceptId?: string): Promise<number>;
}

/** Ended sessions are remembered while a request that still had one may want to store it. */
const REMEMBERED_HOURS = 1;

const IS_ENDED = `c.expires_at <= gatehouse_now()`;
const IS_GOOD = `NOT ${IS_ENDED} AND NOT ${IS_REVOKED}`;
const END = `UPDATE sessions c SET expires_at = gatehouse_now(), payload = '{}'`;

/** @param manager a transaction's or not: what has to happen together does */
export function createSessionStore(manager: EntityManager, keyring: Keyring): SessionStore {
  const find = async (condition: string, value: unknown) => {
    const [found] = await manager.query<StoredSession[]>(
      `SELECT c.id, c.account_id AS "accountId", c.payload, c.issue_seq AS "issueSeq",
         ceil(extract(epoch FROM c.expires_at - gatehouse_now()))::int AS "remainingSeconds"
       FROM sessions c WHERE ${condition} AND ${IS_GOOD}`,
      [value],
    );
    return found;
  };

  return {
    async save(session) {
      if (JSON.stringify(session.payload).includes(session.secret)) {
        throw new Error('the payload of a session must not hold its secret');
      }
      if (await update(manager, keyring, session)) return true;
      if (session.issueSeq !== undefined) return false;
      return manager.transaction((transaction) => bind(transaction, keyring, session));
    },
    findBySecret: (secret) => find('c.digest = ANY ($1)', keyring.digests(secret)),
    findById: (id) => find('c.id = $1', id),
    async destroyBySecret(secret) {
      await manager.query(`${END} WHERE c.digest = ANY ($1) AND NOT ${IS_ENDED}`, [
        keyring.digests(secret),
      ]);
    },
    listOfAccount: (accountId) =>
      manager.query<ListedSession[]>(
        `SELECT c.id, c.address, c.user_agent AS "userAgent", c.created_at AS "createdAt",
           c.seen_at AS "seenAt", c.expires_at AS "expiresAt"
         FROM sessions c WHERE c.account_id = $1 AND ${IS_GOOD} ORDER BY c.created_at DESC, c.id`,
        [accountId],
      ),
    endAllOf: (accountId, exceptId) =>
      count(
        manager,
        `${END} WHERE c.account_id = $1 AND c.id IS DISTINCT FROM $2 AND NOT ${IS_ENDED}`,
        [accountId, exceptId ?? null],
      ),
  };
}

/** Deletes sessions that are over, a bounded number at a time. */
export function forgetExpiredSessions(manager: EntityManager, signal?: AbortSignal): Promise<void> {
  return inBatches(
    (limit) =>
      count(
        manager,
        `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions
           WHERE expires_at <= gatehouse_now() - make_interval(hours => $1)
           ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)`,
        [REMEMBERED_HOURS, limit],
      ),
    signal,
  );
}

/** What changes from request to request: `$1` to `$6`, and the secret's digests as `$7`. */
function valuesOf(keyring: Keyring, session: NewSession): readonly unknown[] {
  const { digest, keyId } = keyring.digest(session.secret);
  return [
    ...[session.id, digest, keyId, session.accountId, session.payload, session.ttlSeconds],
    keyring.digests(session.secret),
  ];
}

/** The same session of the same account goes on, under the current secret key. */
async function update(
  manager: EntityManager,
  keyring: Keyring,
  session: NewSession,
): Promise<boolean> {
  const updated = await count(
    manager,
    `UPDATE sessions c SET digest = $2, digest_key_id = $3, payload = $5, seen_at = gatehouse_now(),
       expires_at = gatehouse_now() + make_interval(secs => $6), address = $8, user_agent = $9
     WHERE c.id = $1 AND (c.digest = ANY ($7) OR c.issue_seq = $10)
       AND c.account_id IS NOT DISTINCT FROM $4 AND ${IS_GOOD}`,
    [
      ...valuesOf(keyring, session),
      ...[session.address, session.userAgent, session.issueSeq ?? null],
    ],
  );
  return updated > 0;
}

/** A session begins, or somebody signs in to it. */
async function bind(
  manager: EntityManager,
  keyring: Keyring,
  session: NewSession,
): Promise<boolean> {
  const subjects = session.accountId === null ? [] : [session.accountId];
  const issueSeq = await createRevocationStore(manager).drawIssueOrder(subjects);
  const bound = await count(
    manager,
    `INSERT INTO sessions AS c (id, digest, digest_key_id, account_id, payload, expires_at, address,
       user_agent, subjects, issue_seq)
     VALUES ($1, $2, $3, $4, $5, gatehouse_now() + make_interval(secs => $6), $8, $9, $10, $11)
     ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, digest_key_id = excluded.digest_key_id,
       account_id = excluded.account_id, payload = excluded.payload, expires_at = excluded.expires_at,
       created_at = gatehouse_now(), seen_at = gatehouse_now(), address = excluded.address, user_agent = excluded.user_agent,
       subjects = excluded.subjects, issue_seq = excluded.issue_seq
     WHERE ${IS_GOOD} OR c.digest <> ALL ($7)`,
    [...valuesOf(keyring, session), ...[session.address, session.userAgent, subjects, issueSeq]],
  );
  return bound > 0;
}

/** How many rows a statement changed. */
async function count(
  manager: EntityManager,
  statement: string,
  values: readonly unknown[],
): Promise<number> {
  const [row] = await manager.query<[{ count: number }]>(
    `WITH changed AS (${statement} RETURNING 1) SELECT count(*)::int AS count FROM changed`,
    [...values],
  );
  return row.count;
}

import type { EntityManager } from 'typeorm';

import { type Actor, createAuditLog } from '../audit/index.js';
import {
  createRevocationStore,
  type Keyring,
  MAX_SESSIONS,
  SESSION_LIFETIMES,
} from '../credentials/index.js';
import { IS_REVOKED } from '../credentials/tables.js';
import { prepared } from '../db/prepared.js';
import { repeatOnConflict } from '../db/repeat.js';
import { amrOf, methodOf, recordSignIn, type SignInMethod } from './sign-in-method.js';

/** A session to be stored. */
export interface NewSession {
  /** The public id, which is kept when the secret changes. */
  readonly id: string;
  /** The value of the cookie. Only its digest is stored. */
  readonly secret: string;
  /** The signed-in account; `null` before sign-in. */
  readonly accountId: string | null;
  /** Data of the protocol library, without the secret. */
  readonly payload: object;
  readonly address: string | null;
  readonly userAgent: string | null;
  /** The request for which it is stored, for the audit log. */
  readonly requestId?: string | null;
  /** The lifetime without further requests, limited by the rest of the absolute lifetime. */
  readonly ttlSeconds: number;
  /** The position in the order of issues of a session that continues under a new secret; absent for a new one. */
  readonly issueSeq?: string | undefined;
}

/** A valid session. */
export interface StoredSession {
  readonly id: string;
  readonly accountId: string | null;
  readonly payload: object;
  readonly issueSeq: string;
  readonly remainingSeconds: number;
}

/** A session as shown to its account. */
export interface ListedSession {
  readonly id: string;
  readonly address: string | null;
  readonly userAgent: string | null;
  readonly createdAt: Date;
  readonly seenAt: Date;
  readonly expiresAt: Date;
  readonly method: SignInMethod;
}

/**
 * Stores browser sessions. From sign-in on, a session has a position in the order of issues and revocations.
 * Revoking the account (`usr_…`) ends it like any token.
 */
export interface SessionStore {
  /**
   * Creates or updates a session. Its position in the order of issues is drawn when it is bound to an account, and
   * kept while it continues. Binding it writes an audit entry, and ends the oldest session of an account that has more
   * than `MAX_SESSIONS`.
   *
   * @returns false if it was ended meanwhile, since a concurrent request must not restore it. With a new secret, as
   *   after a repeated sign-in, it starts again
   * @throws Error if the payload contains the secret
   */
  save(session: NewSession): Promise<boolean>;
  findBySecret(secret: string): Promise<StoredSession | undefined>;
  findById(id: string): Promise<StoredSession | undefined>;
  /**
   * Records the use of a session, which extends it, at most once in `renewAfterSeconds`.
   * @returns its remaining seconds; `undefined` if nothing was written
   */
  renew(secret: string): Promise<number | undefined>;
  /** Ends a session that was never handed out, without an audit entry. */
  destroyBySecret(secret: string): Promise<void>;
  /** Ends a session. Writes an audit entry if an account was signed in. */
  signOut(secret: string, request: Pick<Actor, 'address' | 'requestId'>): Promise<void>;
  /** Lists the valid sessions, the latest first. */
  listOfAccount(accountId: string): Promise<readonly ListedSession[]>;
  /** Whether the account signed in to the session within these seconds; `undefined` if the session has ended. */
  signedInWithin(id: string, seconds: number): Promise<boolean | undefined>;
  /** Ends a session of an account. @returns false if it has ended already */
  endOne(accountId: string, id: string): Promise<boolean>;
  /** @returns the number of ended sessions */
  endAllOf(accountId: string, exceptId?: string | null): Promise<number>;
  /** Ends the sessions that began at a provider. @returns the number of ended sessions */
  endAllFrom(accountId: string, provider: string, exceptId: string): Promise<number>;
}

const IS_ENDED = `c.expires_at <= gatehouse_now()`;
const IS_GOOD = `NOT ${IS_ENDED} AND NOT ${IS_REVOKED}`;
const END = `UPDATE sessions c SET expires_at = gatehouse_now(), payload = '{}'`;

type Listed = Omit<ListedSession, 'method'> & { readonly payload: object };

const LIST = {
  name: 'list-sessions',
  text: `SELECT c.id, c.address, c.user_agent AS "userAgent", c.created_at AS "createdAt", c.seen_at AS "seenAt",
      c.expires_at AS "expiresAt", c.payload FROM sessions c
    WHERE c.account_id = $1 AND ${IS_GOOD} ORDER BY c.created_at DESC, c.id`,
};

/** The SQL for the end of a session: `seconds` from now, limited by the absolute lifetime. */
const endIn = (seconds: string) => `least(gatehouse_now() + make_interval(secs => ${seconds}),
  c.created_at + make_interval(secs => ${SESSION_LIFETIMES.absoluteSeconds}))`;

const REMAINING = 'ceil(extract(epoch FROM c.expires_at - gatehouse_now()))::int';

/** @param manager may belong to a transaction; operations that need one start it */
export function createSessionStore(manager: EntityManager, keyring: Keyring): SessionStore {
  const find = async (condition: string, value: unknown) => {
    const [found] = await manager.query<StoredSession[]>(
      `SELECT c.id, c.account_id AS "accountId", c.payload, c.issue_seq AS "issueSeq",
         ${REMAINING} AS "remainingSeconds"
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
      return repeatOnConflict(() =>
        manager.transaction((transaction) => bind(transaction, keyring, session)),
      );
    },
    findBySecret: (secret) => find('c.digest = ANY ($1)', keyring.digests(secret)),
    findById: (id) => find('c.id = $1', id),
    renew: (secret) => renew(manager, keyring.digests(secret)),
    async destroyBySecret(secret) {
      await manager.query(`${END} WHERE c.digest = ANY ($1) AND NOT ${IS_ENDED}`, [
        keyring.digests(secret),
      ]);
    },
    signOut: (secret, request) =>
      manager.transaction((transaction) => signOut(transaction, keyring.digests(secret), request)),
    async listOfAccount(accountId) {
      const rows = await prepared(manager)<Listed>(LIST, [accountId]);
      return rows.map(({ payload, ...row }) => ({ ...row, method: methodOf(payload) }));
    },
    async signedInWithin(id, seconds) {
      const [row] = await manager.query<{ isRecent: boolean }[]>(
        `SELECT c.created_at > gatehouse_now() - make_interval(secs => $2) AS "isRecent"
         FROM sessions c WHERE c.id = $1 AND ${IS_GOOD}`,
        [id, seconds],
      );
      return row?.isRecent;
    },
    async endOne(accountId, id) {
      const ended = `${END} WHERE c.account_id = $1 AND c.id = $2 AND NOT ${IS_ENDED}`;
      return (await count(manager, ended, [accountId, id])) > 0;
    },
    endAllOf(accountId, exceptId = null) {
      const ended = `${END} WHERE c.account_id = $1 AND c.id IS DISTINCT FROM $2 AND NOT ${IS_ENDED}`;
      return count(manager, ended, [accountId, exceptId]);
    },
    endAllFrom(accountId, provider, exceptId) {
      const ended = `${END} WHERE c.account_id = $1 AND c.id <> $2 AND NOT ${IS_ENDED}
        AND c.payload->'amr' = $3::jsonb`;
      return count(manager, ended, [accountId, exceptId, JSON.stringify(amrOf(provider))]);
    },
  };
}

async function renew(
  manager: EntityManager,
  digests: readonly string[],
): Promise<number | undefined> {
  const { idleSeconds, renewAfterSeconds } = SESSION_LIFETIMES;
  const [renewed] = await manager.query<{ seconds: number }[]>(
    `WITH renewed AS (
       UPDATE sessions c SET seen_at = gatehouse_now(), expires_at = ${endIn('$2')}
       WHERE c.digest = ANY ($1) AND ${IS_GOOD}
         AND c.seen_at <= gatehouse_now() - make_interval(secs => $3)
       RETURNING ${REMAINING} AS seconds)
     SELECT seconds FROM renewed`,
    [digests, idleSeconds, renewAfterSeconds],
  );
  return renewed?.seconds;
}

async function signOut(
  transaction: EntityManager,
  digests: readonly string[],
  request: Parameters<SessionStore['signOut']>[1],
): Promise<void> {
  const [ended] = await transaction.query<{ id: string; accountId: string | null }[]>(
    `WITH ended AS (${END} WHERE c.digest = ANY ($1) AND NOT ${IS_ENDED} RETURNING c.id, c.account_id)
     SELECT id, account_id AS "accountId" FROM ended`,
    [digests],
  );
  if (ended === undefined || ended.accountId === null) return;
  await createAuditLog(transaction).record(
    { ...request, id: ended.accountId },
    {
      tenantId: null,
      action: 'account.sign_out',
      subject: ended.accountId,
      details: { session: ended.id },
    },
  );
}

/** The changing values of a session: `$1` to `$6`, and the secret's digests as `$7`. */
function valuesOf(keyring: Keyring, session: NewSession): readonly unknown[] {
  const { digest, keyId } = keyring.digest(session.secret);
  return [
    session.id,
    digest,
    keyId,
    session.accountId,
    session.payload,
    session.ttlSeconds,
    keyring.digests(session.secret),
  ];
}

/** Updates a session that continues with the same account, under the current secret key. */
async function update(
  manager: EntityManager,
  keyring: Keyring,
  session: NewSession,
): Promise<boolean> {
  const updated = await count(
    manager,
    `UPDATE sessions c SET digest = $2, digest_key_id = $3, payload = $5, seen_at = gatehouse_now(),
       expires_at = ${endIn('$6')}, address = $8, user_agent = $9
     WHERE c.id = $1 AND (c.digest = ANY ($7) OR c.issue_seq = $10)
       AND c.account_id IS NOT DISTINCT FROM $4 AND ${IS_GOOD}`,
    [...valuesOf(keyring, session), session.address, session.userAgent, session.issueSeq ?? null],
  );
  return updated > 0;
}

/** Creates a session, or binds it to an account. */
async function bind(
  manager: EntityManager,
  keyring: Keyring,
  session: NewSession,
): Promise<boolean> {
  const { accountId } = session;
  const subjects = accountId === null ? [] : [accountId];
  const issueSeq = await createRevocationStore(manager).drawIssueOrder(subjects);
  // Serialises sign-ins of one account before they lock each other's rows.
  if (accountId !== null) await takeTurn(manager, accountId);
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
    [...valuesOf(keyring, session), session.address, session.userAgent, subjects, issueSeq],
  );
  if (bound === 0) return false;
  if (accountId !== null) {
    await endOldest(manager, accountId);
    await recordSignIn(manager, accountId, session);
  }
  return true;
}

async function takeTurn(manager: EntityManager, accountId: string): Promise<void> {
  await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
    `sessions of ${accountId}`,
  ]);
}

/** Ends the oldest sessions of an account that has too many. */
async function endOldest(manager: EntityManager, accountId: string): Promise<void> {
  await manager.query(
    `${END} WHERE c.id IN (SELECT c.id FROM sessions c WHERE c.account_id = $1 AND ${IS_GOOD}
       ORDER BY c.issue_seq DESC OFFSET $2)`,
    [accountId, MAX_SESSIONS],
  );
}

/** Runs a statement and returns the number of changed rows. */
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

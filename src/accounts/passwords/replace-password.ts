import type { EntityManager } from 'typeorm';

import { createAuditLog, type Actor } from '../../audit/index.js';

/** A new password of an account, already hashed, because hashing is slow and needs no transaction. */
export interface PasswordReplacement {
  readonly accountId: string;
  readonly passwordHash: string;
  /** The hash that it replaces, if only that one may be replaced. */
  readonly formerHash?: string;
  /** The session in which the password is changed, which stays. */
  readonly exceptSession?: string;
  /** How the change came about, for the audit log. */
  readonly by: 'operator' | 'link' | 'owner';
}

/** Ends the sessions of an account, except one. @returns their number */
export type EndSessions = (
  manager: EntityManager,
  accountId: string,
  exceptId?: string,
) => Promise<number>;

/**
 * Replaces a password. All other sessions end, and all links to set a new password. A sign-in that was begun with the
 * former password is refused when it completes, because its mark differs.
 *
 * @param manager of a transaction
 * @returns the number of ended sessions; `undefined` if the password was changed meanwhile
 */
export async function replacePassword(
  manager: EntityManager,
  endSessions: EndSessions,
  actor: Actor,
  { accountId, passwordHash, formerHash, exceptSession, by }: PasswordReplacement,
): Promise<{ readonly email: string; readonly endedSessions: number } | undefined> {
  const [account] = await manager.query<{ email: string }[]>(
    `WITH changed AS (
       UPDATE accounts SET password_hash = $2
       WHERE id = $1 AND ($3::text IS NULL OR password_hash = $3) RETURNING email)
     SELECT email FROM changed`,
    [accountId, passwordHash, formerHash ?? null],
  );
  if (account === undefined) return undefined;
  await manager.query(`DELETE FROM account_links WHERE account_id = $1 AND purpose = 'password'`, [
    accountId,
  ]);
  const endedSessions = await endSessions(manager, accountId, exceptSession);
  await createAuditLog(manager).record(actor, {
    tenantId: null,
    action: 'account.set_password',
    subject: accountId,
    details: { email: account.email, endedSessions, by },
  });
  return { email: account.email, endedSessions };
}

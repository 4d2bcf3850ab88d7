import type { DataSource, EntityManager } from 'typeorm';

import { type Account, NO_PASSWORD } from '../accounts/index.js';
import { type Actor, createAuditLog } from '../audit/index.js';
import type { Mail } from '../mail/index.js';
import type { SessionStore } from '../sessions/index.js';
import { createIdentityLinks, type IdentityId, type LinkedIdentity } from './identity-links.js';
import type { ProviderEntry, ProviderSettings } from './providers-document.js';

/** The sessions of accounts, in a transaction. */
export type SessionsIn = (
  manager: EntityManager,
) => Pick<SessionStore, 'endAllFrom' | 'endAllOf' | 'findById'>;

/** `gone`: the account has no such link. `only_way`: it could not sign in any more. */
export type UnlinkOutcome = 'unlinked' | 'gone' | 'only_way';

/** A request to unlink the identity of an issuer, from a session that stays. */
export interface UnlinkRequest {
  readonly accountId: string;
  readonly sessionId: string;
  readonly issuer: string;
  readonly actor: Actor;
}

interface Dependencies {
  readonly dataSource: DataSource;
  readonly settings: ProviderSettings;
  readonly issuer: string;
  readonly mail: Pick<Mail, 'queue'>;
  readonly sessionsIn: SessionsIn;
}

/** Notices are of use for a few days. */
const NOTICE_SECONDS = 3 * 86_400;

/**
 * Locks an account until the transaction ends, as a new password does. Changes of its ways to sign in wait for each other.
 * @returns `undefined` if it does not exist any more
 */
export async function lockAccount(
  manager: EntityManager,
  id: string,
): Promise<
  { readonly email: string; readonly passwordHash: string; readonly isProven: boolean } | undefined
> {
  const [account] = await manager.query<
    { email: string; passwordHash: string; isProven: boolean }[]
  >(
    `SELECT email, password_hash AS "passwordHash", email_verified_at IS NOT NULL AS "isProven"
     FROM accounts WHERE id = $1 FOR NO KEY UPDATE`,
    [id],
  );
  return account;
}

/**
 * Links an identity to an account, and tells its owner.
 * @param manager of a transaction
 * @returns false if the identity is linked, or the account has another one of the provider
 */
export async function linkIdentity(
  dependencies: Pick<Dependencies, 'issuer' | 'mail'>,
  manager: EntityManager,
  { id: provider, name }: ProviderEntry,
  { email, ...identity }: IdentityId & Pick<LinkedIdentity, 'email'>,
  { id: accountId, email: to }: Pick<Account, 'id' | 'email'>,
  request: Omit<Actor, 'id'>,
): Promise<boolean> {
  if (!(await createIdentityLinks(manager).create(identity, accountId, email))) return false;
  await createAuditLog(manager).record(
    { ...request, id: accountId },
    {
      tenantId: null,
      action: 'account.link_sign_in',
      subject: accountId,
      details: { provider, email },
    },
  );
  await notify(dependencies, manager, to, { provider: name, email, isLinked: true });
  return true;
}

/**
 * Makes the function that unlinks an identity, unless it is the only way to sign in. Other sessions that began at the
 * provider end. A sign-in that began before is refused when it completes, because its mark names the identity.
 */
export function createUnlink(
  dependencies: Dependencies,
): (request: UnlinkRequest) => Promise<UnlinkOutcome> {
  const { dataSource, settings, sessionsIn } = dependencies;
  return ({ accountId, sessionId, issuer, actor }) =>
    dataSource.transaction(async (manager) => {
      const account = await lockAccount(manager, accountId);
      const links = createIdentityLinks(manager);
      const linked = await links.listOf(accountId);
      const found = linked.find((link) => link.issuer === issuer);
      if (account === undefined || found === undefined) return 'gone';
      const entryOf = (link: IdentityId) =>
        settings.providers.find((known) => known.issuer === link.issuer);
      const entry = entryOf(found);
      const hasOther = linked.some((link) => link !== found && entryOf(link) !== undefined);
      const hasPassword = settings.passwordSignIn && account.passwordHash !== NO_PASSWORD;
      // One that left the file is not a way any more.
      if (entry !== undefined && !hasOther && !hasPassword) return 'only_way';
      await links.delete(accountId, issuer);
      const endedSessions =
        entry && (await sessionsIn(manager).endAllFrom(accountId, entry.id, sessionId));
      await createAuditLog(manager).record(actor, {
        tenantId: null,
        action: 'account.unlink_sign_in',
        subject: accountId,
        details: {
          provider: entry?.id ?? issuer,
          email: found.email,
          endedSessions: endedSessions ?? 0,
        },
      });
      const name = entry?.name ?? issuer;
      const said = { provider: name, email: found.email, isLinked: false };
      await notify(dependencies, manager, account.email, said);
      return 'unlinked';
    });
}

/** Tells the owner of an account that its ways to sign in have changed. */
function notify(
  { mail, issuer }: Pick<Dependencies, 'issuer' | 'mail'>,
  manager: EntityManager,
  to: string,
  said: { readonly provider: string; readonly email: string | null; readonly isLinked: boolean },
): Promise<void> {
  return mail.queue(manager, {
    kind: 'sign-in-changed',
    to,
    data: { ...said, link: `${issuer}/settings/profile` },
    lifetimeSeconds: NOTICE_SECONDS,
  });
}

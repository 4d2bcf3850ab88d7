import type { DataSource, EntityManager } from 'typeorm';

import { createAuditLog, type Actor } from '../../audit/index.js';
import type { Keyring, SecretFormat } from '../../credentials/index.js';
import { createId } from '../../db/id.js';
import { createAccountStore } from '../account-store.js';
import type { HashingQueue } from '../hashing-queue.js';
import { hashPassword, markOf } from '../password.js';
import type { SignedInAccount } from '../sign-in.js';
import { createInvitationStore, type OpenInvitation } from './invitation-store.js';
import { lockMembersOf } from './membership-service.js';
import { nameToday } from '../../scopes/catalog.js';

/** The reason why an invitation cannot be accepted. `gone`: it was used, withdrawn or has expired. */
export type NotAccepted = 'gone' | 'suspended' | 'other_account' | 'has_account';

/** An invitation, and whether its address has an account already. */
export interface FoundInvitation extends OpenInvitation {
  readonly hasAccount: boolean;
}

/** Accepts invitations, with the account of the invited address. A link works once. */
export interface InvitationAcceptance {
  /** Finds an invitation without accepting it. */
  find(secret: string): Promise<FoundInvitation | undefined>;
  /** Joins with a signed-in account, whose address must be the invited one. */
  acceptAs(
    secret: string,
    account: { readonly id: string; readonly email: string },
    actor: Actor,
  ): Promise<'accepted' | NotAccepted>;
  /**
   * Creates an account for the invited address, and joins.
   * @param fields a name, and a password that `passwordFault` accepts
   */
  acceptAsNew(
    secret: string,
    fields: { readonly name: string; readonly password: string },
    request: Omit<Actor, 'id'>,
  ): Promise<{ readonly account: SignedInAccount } | NotAccepted>;
}

interface Dependencies {
  readonly dataSource: DataSource;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  readonly hashing: HashingQueue;
}

export function createInvitationAcceptance({
  dataSource,
  keyring,
  format,
  hashing,
}: Dependencies): InvitationAcceptance {
  const storeIn = (manager: EntityManager) => createInvitationStore(manager, keyring, format);
  const hasAccount = async (email: string) =>
    (await createAccountStore(dataSource.manager).findByEmail(email)) !== undefined;
  const find = async (secret: string) => {
    const found = await storeIn(dataSource.manager).findBySecret(secret);
    return found && { ...found, hasAccount: await hasAccount(found.email) };
  };
  /** Uses the link, under the lock of the tenant's members. */
  const consume = async (manager: EntityManager, { tenantId }: OpenInvitation, secret: string) => {
    await lockMembersOf(manager, tenantId);
    const [tenant] = await manager.query<{ isSuspended: boolean }[]>(
      `SELECT suspended_at IS NOT NULL AS "isSuspended" FROM tenants WHERE id = $1`,
      [tenantId],
    );
    if (tenant?.isSuspended !== false) return 'suspended';
    return (await storeIn(manager).consume(secret)) ? 'consumed' : 'gone';
  };

  return {
    find,
    async acceptAs(secret, account, actor) {
      const invitation = await find(secret);
      if (invitation === undefined) return 'gone';
      if (invitation.email !== account.email) return 'other_account';
      return dataSource.transaction(async (manager) => {
        const state = await consume(manager, invitation, secret);
        if (state !== 'consumed') return state;
        await join(manager, invitation, account.id, actor, 'membership.create');
        return 'accepted';
      });
    },
    async acceptAsNew(secret, { name, password }, request) {
      const invitation = await find(secret);
      if (invitation === undefined) return 'gone';
      if (invitation.hasAccount) return 'has_account';
      const passwordHash = await hashing.run('unknown', () => hashPassword(password));
      return dataSource
        .transaction(async (manager) => {
          const state = await consume(manager, invitation, secret);
          if (state !== 'consumed') return state;
          const id = await createAccount(manager, invitation, { name, passwordHash });
          await join(manager, invitation, id, { ...request, id }, 'account.create');
          const { email } = invitation;
          return { account: { id, email, name, passwordMark: markOf(passwordHash) } };
        })
        .catch((error: unknown) => {
          if (error instanceof AccountExists) return 'has_account' as const;
          throw error;
        });
    },
  };
}

/**
 * Accepts the open invitation of an account's address, which the caller has proved to be its owner's.
 *
 * @param manager of a transaction
 * @returns false without an invitation, or if the tenant is suspended
 */
export async function acceptInvitationOf(
  manager: EntityManager,
  tenantId: string,
  account: { readonly id: string; readonly email: string },
  actor: Actor,
): Promise<boolean> {
  await lockMembersOf(manager, tenantId);
  const [rows] = await manager.query<[OpenInvitation[], number]>(
    `DELETE FROM invitations i USING tenants t
     WHERE i.tenant_id = $1 AND i.email = $2 AND i.expires_at > gatehouse_now()
       AND t.id = i.tenant_id AND t.suspended_at IS NULL
     RETURNING i.id, i.tenant_id AS "tenantId", i.email, i.role, i.is_mailed AS "isMailed"`,
    [tenantId, account.email],
  );
  const [invitation] = rows;
  if (invitation === undefined) return false;
  await join(manager, invitation, account.id, actor, 'membership.create');
  return true;
}

/** Undoes the transaction, so that the invitation can still be accepted with the account. */
class AccountExists extends Error {}

/**
 * @returns the id of the new account
 * @throws AccountExists if the address has one since the invitation was looked up
 */
async function createAccount(
  manager: EntityManager,
  { email, isMailed }: OpenInvitation,
  { name, passwordHash }: { readonly name: string; readonly passwordHash: string },
): Promise<string> {
  const id = createId('usr');
  const created = await manager.query<object[]>(
    `INSERT INTO accounts (id, email, name, password_hash, email_verified_at)
     VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN gatehouse_now() END)
     ON CONFLICT (email) DO NOTHING RETURNING id`,
    [id, email, name, passwordHash, isMailed],
  );
  if (created.length === 0) throw new AccountExists();
  return id;
}

async function join(
  manager: EntityManager,
  { id: invitation, tenantId, email, role, isMailed }: OpenInvitation,
  accountId: string,
  actor: Actor,
  action: 'membership.create' | 'account.create',
): Promise<void> {
  const accounts = createAccountStore(manager);
  // Only the owner of the address got the link.
  if (isMailed) await accounts.confirmEmail(accountId);
  if (!(await accounts.join(tenantId, accountId, nameToday(role)))) return;
  await createAuditLog(manager).record(actor, {
    tenantId,
    action,
    subject: accountId,
    details: { email, role, invitation },
  });
}

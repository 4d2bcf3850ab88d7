import type { EntityManager } from 'typeorm';

import { createAuditLog, type Actor } from '../../audit/index.js';
import { createCredentialStore, createRevocationStore } from '../../credentials/index.js';
import { Problem } from '../../http/errors/problem.js';
import { ADMINISTRATOR_NAMES, isAdministrator, type Role } from '../../scopes/roles.js';
import { createAccountStore } from '../account-store.js';

/** The person who manages members: an administrator in a session, or the operator. */
export interface MemberManager {
  readonly tenantId: string;
  readonly actor: Actor;
  /** Absent for the operator, who is not limited. */
  readonly accountId?: string;
  readonly sessionId?: string;
}

/** A member before a change. */
export interface ChangedMember {
  readonly email: string;
  readonly role: Role;
}

/** Changes and ends memberships. Each operation but the question `isLastAdministrator` needs a transaction. */
export interface MembershipService {
  /**
   * Takes the lock under which members of the tenant are changed, and checks that the manager is an administrator now.
   * @throws Problem `unauthorized`, `forbidden`
   */
  admit(by: MemberManager): Promise<void>;
  /**
   * Makes an account a member.
   * @throws Problem `conflict` for a member; as `admit` does
   */
  add(
    by: MemberManager,
    account: { readonly id: string; readonly email: string },
    role: Role,
  ): Promise<void>;
  /**
   * Changes a role, from the next request on.
   * @throws Problem `not_found`; `conflict` for the last administrator; as `admit` does
   */
  changeRole(by: MemberManager, accountId: string, role: Role): Promise<ChangedMember>;
  /**
   * Ends a membership, with everything that was issued under it.
   * @throws Problem as `changeRole` does
   */
  remove(by: MemberManager, accountId: string): Promise<ChangedMember>;
  /**
   * Ends the member's own membership, whatever their role.
   * @throws Problem as `changeRole` does
   */
  leave(by: MemberManager & { readonly accountId: string }): Promise<ChangedMember>;
  /** Whether a member of this role is the only administrator, who can neither leave nor give up the role. */
  isLastAdministrator(member: {
    readonly tenantId: string;
    readonly accountId: string;
    readonly role: Role;
  }): Promise<boolean>;
}

/** Only administrators end an administrator's role, so the last one reads this about themselves. */
export const LAST_ADMINISTRATOR =
  'You are the last administrator of the organization. Make somebody else an administrator first.';

/** @param forgetConsents deletes what the account allowed apps in the tenant */
export function createMembershipService(
  manager: EntityManager,
  forgetConsents: (manager: EntityManager, accountId: string, tenantId: string) => Promise<void>,
): MembershipService {
  const accounts = createAccountStore(manager);
  const record = createRecord(manager);
  const admit = async (by: MemberManager) => {
    await lockMembersOf(manager, by.tenantId);
    if (by.accountId !== undefined) await assertAdministrator(manager, by as MemberInSession);
  };
  const end = async (by: MemberManager, accountId: string, member: ChangedMember) => {
    const { tenantId, actor } = by;
    const subject = `${accountId}@${tenantId}`;
    // First: it waits for transactions that issue under the membership, and so comes after them.
    await createRevocationStore(manager).revoke(subject, actor.id, 'membership ended');
    await forgetConsents(manager, accountId, tenantId);
    await withdrawInvitationsBy(manager, tenantId, accountId);
    await accounts.leave(tenantId, accountId);
    const { email, role } = member;
    await record(by, 'membership.delete', accountId, { email, role });
    return member;
  };

  return {
    admit,
    isLastAdministrator: (member) => isLastAdministrator(manager, member),
    async add(by, { id, email }, role) {
      await admit(by);
      if (!(await accounts.join(by.tenantId, id, role))) {
        throw new Problem('conflict', `${email} is a member already.`);
      }
      await record(by, 'membership.create', id, { email, role });
    },
    async changeRole(by, accountId, role) {
      await admit(by);
      const { tenantId } = by;
      const member = await findMember(manager, tenantId, accountId);
      if (member.role === role) return member;
      await assertAnotherAdministrator(manager, by, accountId, member.role);
      if (isAdministrator(member.role)) await withdrawInvitationsBy(manager, tenantId, accountId);
      await accounts.setRole(tenantId, accountId, role);
      const { email, role: formerRole } = member;
      await record(by, 'membership.update', accountId, { email, role, formerRole });
      return member;
    },
    async remove(by, accountId) {
      await admit(by);
      const member = await findMember(manager, by.tenantId, accountId);
      await assertAnotherAdministrator(manager, by, accountId, member.role);
      return end(by, accountId, member);
    },
    async leave(by) {
      await lockMembersOf(manager, by.tenantId);
      const member = await findMember(manager, by.tenantId, by.accountId);
      await assertAnotherAdministrator(manager, by, by.accountId, member.role);
      return end(by, by.accountId, member);
    },
  };
}

async function findMember(
  manager: EntityManager,
  tenantId: string,
  accountId: string,
): Promise<ChangedMember> {
  const [member] = await manager.query<ChangedMember[]>(
    `SELECT a.email, m.role FROM memberships m JOIN accounts a ON a.id = m.account_id
     WHERE m.tenant_id = $1 AND m.account_id = $2`,
    [tenantId, accountId],
  );
  if (member === undefined) throw new Problem('not_found', 'Member not found.');
  return member;
}

function createRecord(manager: EntityManager) {
  return (
    { tenantId, actor }: MemberManager,
    action: 'membership.create' | 'membership.update' | 'membership.delete',
    subject: string,
    details: object,
  ) => createAuditLog(manager).record(actor, { tenantId, action, subject, details });
}

type MemberInSession = MemberManager & { readonly accountId: string };

/** Serialises changes of a tenant's members, so that two administrators cannot remove each other at once. */
export async function lockMembersOf(manager: EntityManager, tenantId: string): Promise<void> {
  await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
    `members of ${tenantId}`,
  ]);
}

async function assertAdministrator(
  manager: EntityManager,
  { tenantId, accountId, sessionId = '' }: MemberInSession,
): Promise<void> {
  const credentials = createCredentialStore(manager);
  if (!(await credentials.isSignedIn(accountId, sessionId))) {
    throw new Problem('unauthorized', 'You are no longer signed in.');
  }
  if (!isAdministrator((await credentials.roleOf(tenantId, accountId)) ?? '')) {
    throw new Problem('forbidden', 'Only administrators of the organization manage its members.');
  }
}

async function assertAnotherAdministrator(
  manager: EntityManager,
  by: MemberManager,
  accountId: string,
  role: Role,
): Promise<void> {
  if (by.accountId === undefined) return;
  if (await isLastAdministrator(manager, { tenantId: by.tenantId, accountId, role })) {
    throw new Problem('conflict', LAST_ADMINISTRATOR);
  }
}

async function isLastAdministrator(
  manager: EntityManager,
  { tenantId, accountId, role }: Parameters<MembershipService['isLastAdministrator']>[0],
): Promise<boolean> {
  if (!isAdministrator(role)) return false;
  const [row] = await manager.query<[{ exists: boolean }]>(
    `SELECT EXISTS (SELECT FROM memberships
       WHERE tenant_id = $1 AND role = ANY($3) AND account_id <> $2) AS exists`,
    [tenantId, accountId, ADMINISTRATOR_NAMES],
  );
  return !row.exists;
}

/** Somebody who manages members no longer must not come back by an invitation of their own. */
async function withdrawInvitationsBy(
  manager: EntityManager,
  tenantId: string,
  accountId: string,
): Promise<void> {
  await manager.query('DELETE FROM invitations WHERE tenant_id = $1 AND invited_by = $2', [
    tenantId,
    accountId,
  ]);
}

import type { EntityManager } from 'typeorm';

import {
  type Account,
  createAccountStore,
  createMembershipService,
  hashPassword,
  type Member,
  replacePassword,
} from '../../accounts/index.js';
import { createAuditLog, OPERATOR } from '../../audit/index.js';
import { createConsentStore } from '../../grants/index.js';
import { Problem } from '../../http/errors/problem.js';
import type { Role } from '../../scopes/roles.js';
import { createSessionStore } from '../../sessions/index.js';
import type { CommandContext } from '../command.js';
import { Refused } from '../errors.js';
import { pageOf, type OpenList } from '../listing.js';
import { generatePassword, readNewPassword } from './new-password.js';
import { givenAccount } from '../given.js';
import { getTenant } from './tenants.js';

interface MemberValues {
  readonly email: string;
  readonly tenant: string;
}

interface NewMember extends MemberValues {
  readonly role: Role;
  readonly name: string | undefined;
  readonly emailVerified: boolean;
  readonly passwordStdin: boolean;
}

export async function createAccount({ dataSource, input }: CommandContext, values: NewMember) {
  const fields = givenAccount(values);
  const given = values.passwordStdin ? readNewPassword(input) : undefined;
  const password = given ?? generatePassword();
  // Before the transaction, which would hold its locks meanwhile.
  const passwordHash = await hashPassword(password);
  return dataSource.transaction(async (manager) => {
    const { account, isNew, tenant } = await join(manager, values, { ...fields, passwordHash });
    const { role, emailVerified: isVouchedFor } = values;
    return {
      id: account.id,
      email: account.email,
      name: account.name,
      emailVerified: isVouchedFor || account.emailVerifiedAt !== null,
      tenantId: tenant.id,
      role,
      createdAt: account.createdAt,
      ...(isNew && given === undefined && { password }),
    };
  });
}

/** Makes an account a member, and creates it if there is none. */
async function join(
  manager: EntityManager,
  values: NewMember,
  {
    email,
    name = null,
    passwordHash,
  }: {
    readonly email: string;
    readonly name: string | null | undefined;
    readonly passwordHash: string;
  },
) {
  const { role, emailVerified: isVouchedFor } = values;
  const tenant = await getTenant(manager, values.tenant);
  const accounts = createAccountStore(manager);
  const existing = await accounts.findByEmail(email);
  if (existing !== undefined && values.passwordStdin) {
    throw new Refused(
      'The account exists already and keeps its password: leave out --password-stdin.',
    );
  }
  const account = existing ?? (await accounts.create({ email, name, passwordHash }));
  if (!(await accounts.join(tenant.id, account.id, role))) {
    throw new Problem('conflict', `${account.email} is a member already.`);
  }
  if (isVouchedFor) await accounts.confirmEmail(account.id);
  await createAuditLog(manager).record(OPERATOR, {
    tenantId: tenant.id,
    action: existing ? 'membership.create' : 'account.create',
    subject: account.id,
    details: { email: account.email, role, ...(isVouchedFor && { emailVerified: true }) },
  });
  return { account, tenant, isNew: existing === undefined };
}

export async function listMembers(
  { manager }: CommandContext,
  values: { readonly tenant: string },
): Promise<OpenList<Member, string>> {
  const tenant = await getTenant(manager, values.tenant);
  const store = createAccountStore(manager);
  return {
    async read({ limit, after }) {
      const found = await store.listMembers(tenant.id, { limit: limit + 1, after });
      return pageOf(found, limit, ({ id }) => id);
    },
    present: (member) => ({ ...member, tenantId: tenant.id }),
  };
}

export async function updateMember(
  { manager }: CommandContext,
  values: MemberValues & { readonly role: Role },
) {
  const { role } = values;
  const { tenant, account } = await getMembership(manager, values);
  await membershipsIn(manager).changeRole(byOperator(tenant.id), account.id, role);
  return { id: account.id, email: account.email, tenantId: tenant.id, role };
}

export async function removeMember({ manager }: CommandContext, values: MemberValues) {
  const { tenant, account } = await getMembership(manager, values);
  await membershipsIn(manager).remove(byOperator(tenant.id), account.id);
  return { id: account.id, email: account.email, tenantId: tenant.id, removed: true };
}

export async function setPassword(
  { dataSource, keyring, input }: CommandContext,
  { email }: { readonly email: string },
) {
  const passwordHash = await hashPassword(readNewPassword(input));
  return dataSource.transaction(async (manager) => {
    const account = await getAccount(manager, email);
    const sessions = createSessionStore(manager, keyring);
    const replaced = await replacePassword(
      manager,
      (_, ...which) => sessions.endAllOf(...which),
      OPERATOR,
      { accountId: account.id, passwordHash, by: 'operator' },
    );
    return { id: account.id, email: account.email, endedSessions: replaced?.endedSessions ?? 0 };
  });
}

function membershipsIn(manager: EntityManager) {
  return createMembershipService(manager, (transaction, ...which) =>
    createConsentStore(transaction).deleteOfMember(...which),
  );
}

function byOperator(tenantId: string) {
  return { tenantId, actor: OPERATOR };
}

/** @throws Problem `not_found` */
export async function getAccount(manager: EntityManager, email: string): Promise<Account> {
  const account = await createAccountStore(manager).findByEmail(email);
  if (account === undefined) throw new Problem('not_found', `There is no account ${email}.`);
  return account;
}

/** @throws Problem `not_found` if there is no such tenant, account or membership */
async function getMembership(manager: EntityManager, values: MemberValues) {
  const tenant = await getTenant(manager, values.tenant);
  const account = await getAccount(manager, values.email);
  const membership = await createAccountStore(manager).findMembership(tenant.id, account.id);
  if (membership === undefined) {
    throw new Problem('not_found', 'Membership not found.');
  }
  return { tenant, account, membership };
}

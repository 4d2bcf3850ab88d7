import { randomBytes } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';

import {
  type Account,
  createAccountStore,
  createMembershipService,
  hashPassword,
  type Member,
  replacePassword,
} from '../../accounts/index.js';
import { newPassword } from '../../accounts/password-policy.js';
import { createAuditLog, OPERATOR } from '../../audit/index.js';
import { createConsentStore } from '../../grants/index.js';
import { readText } from '../../http/body/input-lines.js';
import { text } from '../../http/validation.js';
import type { Role } from '../../scopes/roles.js';
import { createSessionStore } from '../../sessions/index.js';
import type { CommandContext } from '../command.js';
import { Misuse, Refused } from '../errors.js';
import { pageOf, type OpenList } from '../listing.js';
import { parseOption } from '../parse-option.js';
import { getTenant } from './tenants.js';

interface MemberValues {
  readonly email: string;
  readonly tenant: string;
}

export async function createAccount(
  { manager, input }: CommandContext,
  values: MemberValues & {
    readonly role: Role;
    readonly name: string | undefined;
    readonly emailVerified: boolean;
    readonly passwordStdin: boolean;
  },
) {
  const { role, name, emailVerified: isVouchedFor } = values;
  const email = parseOption('email', z.email('must be an email address'), values.email);
  const tenant = await getTenant(manager, values.tenant);
  const given = values.passwordStdin ? readPassword(input) : undefined;

  const accounts = createAccountStore(manager);
  const existing = await accounts.findByEmail(email);
  if (existing !== undefined && given !== undefined) {
    throw new Refused(
      'The account exists already and keeps its password: leave out --password-stdin.',
    );
  }
  const generated = randomBytes(12).toString('base64url');
  const account =
    existing ??
    (await accounts.create({
      email,
      name: name === undefined ? null : parseOption('name', text(100), name),
      password: given ?? generated,
    }));
  if (!(await accounts.join(tenant.id, account.id, role))) {
    throw new Refused(`${account.email} is a member of ${tenant.slug} already.`);
  }
  if (isVouchedFor) await accounts.confirmEmail(account.id);
  await createAuditLog(manager).record(OPERATOR, {
    tenantId: tenant.id,
    action: existing ? 'membership.create' : 'account.create',
    subject: account.id,
    details: { email: account.email, role, ...(isVouchedFor && { emailVerified: true }) },
  });
  return {
    id: account.id,
    email: account.email,
    name: account.name,
    emailVerified: isVouchedFor || account.emailVerifiedAt !== null,
    tenantId: tenant.id,
    role,
    createdAt: account.createdAt,
    ...(existing === undefined && given === undefined && { password: generated }),
  };
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
  { manager, keyring, input }: CommandContext,
  { email }: { readonly email: string },
) {
  const account = await getAccount(manager, email);
  const passwordHash = await hashPassword(readPassword(input));
  const sessions = createSessionStore(manager, keyring);
  const replaced = await replacePassword(
    manager,
    (_, ...which) => sessions.endAllOf(...which),
    OPERATOR,
    { accountId: account.id, passwordHash, by: 'operator' },
  );
  return { id: account.id, email: account.email, endedSessions: replaced?.endedSessions ?? 0 };
}

function membershipsIn(manager: EntityManager) {
  return createMembershipService(manager, (transaction, ...which) =>
    createConsentStore(transaction).deleteOfMember(...which),
  );
}

function byOperator(tenantId: string) {
  return { tenantId, actor: OPERATOR };
}

/** @throws Misuse if it may not be chosen */
function readPassword(input: Uint8Array): string {
  const given = readText(input);
  if (given === undefined) throw new Misuse('--password-stdin: is not UTF-8');
  return parseOption('password-stdin', newPassword, given.replace(/\r?\n$/, ''));
}

/** @throws Refused if there is no such account */
export async function getAccount(manager: EntityManager, email: string): Promise<Account> {
  const account = await createAccountStore(manager).findByEmail(email);
  if (account === undefined) throw new Refused(`There is no account ${email}.`);
  return account;
}

/** @throws Refused if there is no such tenant, account or membership */
async function getMembership(manager: EntityManager, values: MemberValues) {
  const tenant = await getTenant(manager, values.tenant);
  const account = await getAccount(manager, values.email);
  const membership = await createAccountStore(manager).findMembership(tenant.id, account.id);
  if (membership === undefined) {
    throw new Refused(`${account.email} is not a member of ${tenant.slug}.`);
  }
  return { tenant, account, membership };
}

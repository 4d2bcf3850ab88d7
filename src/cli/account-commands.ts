import { randomBytes } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';

import { createAccountStore, type Member } from '../accounts/account-store.js';
import type { Account } from '../accounts/account.entity.js';
import { newPassword } from '../accounts/password-policy.js';
import { createAuditLog, OPERATOR } from '../audit/audit-log.js';
import { createRevocationStore } from '../credentials/revocation/revocation-store.js';
import { Consent } from '../grants/consent.entity.js';
import { readText } from '../http/body/input-lines.js';
import { text } from '../http/validation.js';
import { ROLES } from '../scopes/roles.js';
import { createSessionStore } from '../sessions/session-store.js';
import { Misuse, Refused, type Arguments, type Command } from './command.js';
import { listCommand, pageOf } from './listing.js';
import { parseOption } from './parse-option.js';
import { getTenant } from './tenant-commands.js';

const roles = z.enum(ROLES, `must be one of ${ROLES.join(', ')}`);

export const ACCOUNT_COMMANDS: readonly Command[] = [
  {
    name: 'accounts create',
    usage:
      '--email EMAIL --tenant TENANT --role ROLE [--name NAME] [--email-verified] [--password-stdin]',
    summary:
      'Makes somebody a member of a tenant. A new account gets the password from standard input, or a generated one, which is printed. --email-verified vouches for the address: apps are told that it was confirmed.',
    options: {
      email: { type: 'string' },
      tenant: { type: 'string' },
      role: { type: 'string' },
      name: { type: 'string' },
      'email-verified': { type: 'boolean' },
      'password-stdin': { type: 'boolean' },
    },
    positionals: [0, 0],
    readsInput: (args) => args.flag('password-stdin'),
    async run({ manager, input }, args) {
      const email = parseOption(
        'email',
        z.email('must be an email address'),
        args.required('email'),
      );
      const role = parseOption('role', roles, args.required('role'));
      const tenant = await getTenant(manager, args.required('tenant'));
      const name = args.option('name');
      const given = args.flag('password-stdin') ? readPassword(input) : undefined;

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
      const isVouchedFor = args.flag('email-verified');
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
    },
  },
  listCommand({
    name: 'accounts list',
    usage: '--tenant TENANT',
    summary: "Lists a tenant's members, newest account first.",
    options: { tenant: { type: 'string' } },
    async open({ manager }, args) {
      const tenant = await getTenant(manager, args.required('tenant'));
      const store = createAccountStore(manager);
      return {
        async read({ limit, after }: { limit: number; after: string | undefined }) {
          const found = await store.listMembers(tenant.id, { limit: limit + 1, after });
          return pageOf(found, limit, ({ id }) => id);
        },
        present: (member: Member) => ({ ...member, tenantId: tenant.id }),
      };
    },
  }),
  {
    name: 'accounts update',
    usage: '--email EMAIL --tenant TENANT --role ROLE',
    summary: "Changes a member's role. It takes effect on the next request.",
    options: { email: { type: 'string' }, tenant: { type: 'string' }, role: { type: 'string' } },
    positionals: [0, 0],
    async run({ manager }, args) {
      const role = parseOption('role', roles, args.required('role'));
      const { tenant, account, membership } = await getMembership(manager, args);
      await createAccountStore(manager).setRole(tenant.id, account.id, role);
      await createAuditLog(manager).record(OPERATOR, {
        tenantId: tenant.id,
        action: 'membership.update',
        subject: account.id,
        details: { email: account.email, role, formerRole: membership.role },
      });
      return { id: account.id, email: account.email, tenantId: tenant.id, role };
    },
  },
  {
    name: 'accounts remove',
    usage: '--email EMAIL --tenant TENANT',
    summary:
      'Ends a membership, with everything that was issued under it. The account stays, and may be added again.',
    options: { email: { type: 'string' }, tenant: { type: 'string' } },
    positionals: [0, 0],
    question: (args) =>
      `Remove ${args.required('email')} from ${args.required('tenant')}? What was issued to them there never works again.`,
    async run({ manager }, args) {
      const { tenant, account, membership } = await getMembership(manager, args);
      const subject = `${account.id}@${tenant.id}`;
      // First: it waits for transactions that issue under the membership, and so comes after them.
      await createRevocationStore(manager).revoke(subject, OPERATOR.id, 'membership ended');
      await manager.delete(Consent, { accountId: account.id, tenantId: tenant.id });
      await createAccountStore(manager).leave(tenant.id, account.id);
      await createAuditLog(manager).record(OPERATOR, {
        tenantId: tenant.id,
        action: 'membership.delete',
        subject: account.id,
        details: { email: account.email, role: membership.role },
      });
      return { id: account.id, email: account.email, tenantId: tenant.id, removed: true };
    },
  },
  {
    name: 'accounts set-password',
    usage: '--email EMAIL --password-stdin',
    summary:
      'Replaces the password by the one from standard input and ends all sessions. Tokens stay valid: see revoke.',
    options: { email: { type: 'string' }, 'password-stdin': { type: 'boolean' } },
    positionals: [0, 0],
    readsInput: (args) => args.flag('password-stdin'),
    async run({ manager, keyring, input }, args) {
      if (!args.flag('password-stdin')) throw new Misuse('--password-stdin is missing.');
      const account = await getAccount(manager, args);
      await createAccountStore(manager).setPassword(account.id, readPassword(input));
      const endedSessions = await createSessionStore(manager, keyring).endAllOf(account.id);
      await createAuditLog(manager).record(OPERATOR, {
        tenantId: null,
        action: 'account.set_password',
        subject: account.id,
        details: { email: account.email, endedSessions },
      });
      return { id: account.id, email: account.email, endedSessions };
    },
  },
];

/** @throws Misuse if it may not be chosen */
function readPassword(input: Uint8Array): string {
  const text = readText(input);
  if (text === undefined) throw new Misuse('--password-stdin: is not UTF-8');
  return parseOption('password-stdin', newPassword, text.replace(/\r?\n$/, ''));
}

/** @throws Refused if there is no such account */
async function getAccount(manager: EntityManager, args: Arguments): Promise<Account> {
  const email = args.required('email');
  const account = await createAccountStore(manager).findByEmail(email);
  if (account === undefined) throw new Refused(`There is no account ${email}.`);
  return account;
}

/** @throws Refused if there is no such tenant, account or membership */
async function getMembership(manager: EntityManager, args: Arguments) {
  const tenant = await getTenant(manager, args.required('tenant'));
  const account = await getAccount(manager, args);
  const membership = await createAccountStore(manager).findMembership(tenant.id, account.id);
  if (membership === undefined) {
    throw new Refused(`${account.email} is not a member of ${tenant.slug}.`);
  }
  return { tenant, account, membership };
}

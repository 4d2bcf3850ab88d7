import { randomBytes } from 'node:crypto';
import { z } from 'zod';

import { createAccountStore } from '../accounts/account-store.js';
import { createAuditLog, OPERATOR } from '../audit/audit-log.js';
import { text } from '../http/validation.js';
import { ROLES } from '../scopes/roles.js';
import { Refused, type Command } from './command.js';
import { parseOption } from './parse-option.js';
import { getTenant } from './tenant-commands.js';

const password = z.string().min(8, 'the password must have at least 8 characters').max(200);

export const ACCOUNT_COMMANDS: readonly Command[] = [
  {
    name: 'accounts create',
    usage: '--email EMAIL --tenant TENANT --role ROLE [--name NAME] [--password-stdin]',
    summary:
      'Makes somebody a member of a tenant. A new account gets the password from standard input, or a generated one, which is printed.',
    options: {
      email: { type: 'string' },
      tenant: { type: 'string' },
      role: { type: 'string' },
      name: { type: 'string' },
      'password-stdin': { type: 'boolean' },
    },
    positionals: [0, 0],
    readsInput: (args) => args.flag('password-stdin'),
    async run({ manager, input }, args) {
      const email = parseOption('email', z.email('is no email address'), args.required('email'));
      const roles = z.enum(ROLES, `must be one of ${ROLES.join(', ')}`);
      const role = parseOption('role', roles, args.required('role'));
      const tenant = await getTenant(manager, args.required('tenant'));
      const name = args.option('name');
      const given = args.flag('password-stdin')
        ? parseOption('password-stdin', password, input.replace(/\r?\n$/, ''))
        : undefined;

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
      await createAuditLog(manager).record(OPERATOR, {
        tenantId: tenant.id,
        action: existing ? 'membership.create' : 'account.create',
        subject: account.id,
        details: { email: account.email, role },
      });
      return {
        id: account.id,
        email: account.email,
        name: account.name,
        tenantId: tenant.id,
        role,
        createdAt: account.createdAt,
        ...(existing === undefined && given === undefined && { password: generated }),
      };
    },
  },
  {
    name: 'accounts list',
    usage: '--tenant TENANT',
    summary: "Lists a tenant's members.",
    options: { tenant: { type: 'string' } },
    positionals: [0, 0],
    async run({ manager }, args) {
      const tenant = await getTenant(manager, args.required('tenant'));
      const members = await createAccountStore(manager).listMembers(tenant.id);
      return members.map((member) => ({ ...member, tenantId: tenant.id }));
    },
  },
];

import { eitherOf } from '../backend.js';
import { ROLES } from '../../scopes/roles.js';
import { defineSharedCommand, type Command } from '../command.js';
import { Misuse } from '../errors.js';
import { defineSharedList } from '../listing.js';
import { oneOf } from '../value-types.js';
import { ACCOUNTS_IMPORT_COMMAND } from './accounts-import.js';

const actions = eitherOf(
  () => import('../actions/accounts.js'),
  () => import('../remote/accounts.js'),
);

const email = { value: 'EMAIL', required: true, summary: 'email address of the account' } as const;
const tenant = { value: 'TENANT', required: true, summary: 'id or slug of the tenant' } as const;
const role = {
  value: 'ROLE',
  type: oneOf(ROLES),
  required: true,
  summary: 'role in the tenant',
} as const;
const passwordStdin = { summary: 'read the password from standard input' } as const;

export const ACCOUNT_COMMANDS: readonly Command[] = [
  defineSharedCommand({
    name: 'accounts create',
    summary: 'Makes an account a member of a tenant, and creates it if there is none.',
    details:
      'A new account gets the password from standard input, or a generated one, which is printed. An existing one keeps its password.',
    options: {
      email,
      tenant,
      role,
      name: { value: 'NAME', summary: 'name of the person' },
      'email-verified': { summary: 'vouch for the address: apps are told that it was confirmed' },
      'password-stdin': passwordStdin,
    },
    examples: [
      'cli accounts create --email ann@acme.example --tenant acme --role company_admin',
      'cli accounts create --email bob@acme.example --tenant acme --role viewer --password-stdin < password.txt',
    ],
    commitsItself: true,
    readsInput: ({ passwordStdin: isRead }) => isRead,
    run: async (context, values) => (await actions(context)).createAccount(values),
    remark: (result) =>
      'password' in (result as object)
        ? 'The password is shown this once: store it, or hand it on safely.'
        : undefined,
  }),
  defineSharedList({
    name: 'accounts list',
    summary: "Lists a tenant's members, newest account first.",
    options: { tenant },
    examples: ['cli accounts list --tenant acme'],
    open: async (context, values) => (await actions(context)).listMembers(values),
  }),
  defineSharedCommand({
    name: 'accounts update',
    summary: "Changes a member's role, from the next request on.",
    options: { email, tenant, role },
    examples: ['cli accounts update --email ann@acme.example --tenant acme --role viewer'],
    run: async (context, values) => (await actions(context)).updateMember(values),
  }),
  defineSharedCommand({
    name: 'accounts remove',
    summary: 'Ends a membership, with everything that was issued under it.',
    details: 'The account stays, and may be added again.',
    options: { email, tenant },
    examples: ['cli accounts remove --email ann@acme.example --tenant acme'],
    question: (values) =>
      `Remove ${values.email} from ${values.tenant}? Credentials that were issued to them there never work again.`,
    run: async (context, values) => (await actions(context)).removeMember(values),
  }),
  defineSharedCommand({
    name: 'accounts set-password',
    summary: 'Replaces the password of an account and ends all its sessions.',
    details: 'The password comes from standard input. Tokens stay valid: see revoke.',
    options: { email, 'password-stdin': passwordStdin },
    examples: [
      'cli accounts set-password --email ann@acme.example --password-stdin < password.txt',
    ],
    commitsItself: true,
    readsInput({ passwordStdin: isRead }) {
      if (!isRead) throw new Misuse('--password-stdin is missing.');
      return true;
    },
    run: async (context, values) => (await actions(context)).setPassword(values),
  }),
  ACCOUNTS_IMPORT_COMMAND,
];

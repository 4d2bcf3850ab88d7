import { eitherOf } from '../backend.js';
import { defineSharedCommand, type Command } from '../command.js';
import { Misuse } from '../errors.js';
import { defineSharedList } from '../listing.js';

const actions = eitherOf(
  () => import('../actions/grants.js'),
  () => import('../remote/grants.js'),
);

const tenant = { value: 'TENANT', summary: 'only in this tenant (id or slug)' } as const;
const client = { value: 'CLIENT', summary: 'only to this client (id)' } as const;

export const GRANT_COMMANDS: readonly Command[] = [
  defineSharedList({
    name: 'grants list',
    summary:
      'Lists the grants of an account to clients, each installation by itself, newest first.',
    options: {
      email: { value: 'EMAIL', required: true, summary: 'email address of the account' },
      tenant,
      client,
    },
    examples: ['cli grants list --email ann@acme.example'],
    columns: ['id', 'status', 'clientName', 'tenantId', 'createdAt', 'scopes'],
    open: async (context, values) => (await actions(context)).listGrants(values),
  }),
  defineSharedCommand({
    name: 'grants revoke',
    summary: 'Ends a grant, or those of an account, with all tokens. The user is asked again.',
    arguments: { id: { summary: 'id of the grant (grt_…); or name an account by --email' } },
    options: {
      email: { value: 'EMAIL', summary: 'end the grants of this account' },
      tenant,
      client,
      reason: { value: 'TEXT', summary: 'reason for the audit log' },
    },
    examples: [
      'cli grants revoke grt_… --reason "lost laptop"',
      'cli grants revoke --email ann@acme.example --tenant acme --yes',
    ],
    schema: 'any',
    question({ id, email }) {
      if (id === undefined && email === undefined) throw new Misuse('Name a grant, or --email.');
      if (id !== undefined && email !== undefined) {
        throw new Misuse('Name a grant, or --email, not both.');
      }
      return `Revoke ${id ?? `the grants of ${email}`}? None of its tokens ever works again.`;
    },
    run: async (context, values) => (await actions(context)).revokeGrants(values),
  }),
];

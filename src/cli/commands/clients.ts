import { eitherOf } from '../backend.js';
import { defineSharedCommand, type Command } from '../command.js';
import { defineSharedList } from '../listing.js';

const actions = eitherOf(
  () => import('../actions/clients.js'),
  () => import('../remote/clients.js'),
);

const id = {
  required: true,
  summary: 'id of the client (cli_…, or the URL of its document)',
} as const;
const reason = { value: 'TEXT', summary: 'reason for the audit log' } as const;
const tenant = { value: 'TENANT', summary: 'id or slug of the tenant (all tenants)' } as const;

export const CLIENT_COMMANDS: readonly Command[] = [
  defineSharedList({
    name: 'clients list',
    summary: 'Lists the registered clients, newest first.',
    examples: ['cli clients list --limit 100'],
    open: async (context) => (await actions(context)).listClients(),
  }),
  defineSharedCommand({
    name: 'clients show',
    summary: 'Shows a client with its registered metadata.',
    arguments: { id },
    examples: ['cli clients show cli_… --json'],
    run: async (context, values) => (await actions(context)).showClient(values),
  }),
  defineSharedCommand({
    name: 'clients revoke',
    summary: 'Ends everything issued through a client so far. It can be authorized again.',
    arguments: { id },
    options: { reason },
    examples: ['cli clients revoke cli_… --reason "its secret leaked"'],
    schema: 'any',
    question: ({ id: client }) =>
      `Revoke everything issued through ${client} so far? None of it ever works again.`,
    run: async (context, values) => (await actions(context)).revokeClient(values),
  }),
  defineSharedCommand({
    name: 'clients block',
    summary:
      'Ends everything issued through a client, and admits it nowhere, or not in one tenant.',
    arguments: { id },
    options: { tenant, reason },
    examples: ['cli clients block cli_… --tenant acme --reason "not approved"'],
    schema: 'any',
    question: ({ id: client, tenant: named }) =>
      `Block ${client} for ${named ?? 'all tenants'}? Everything issued through it there ends and never works again.`,
    run: async (context, values) => (await actions(context)).setBlocked(values, true),
  }),
  defineSharedCommand({
    name: 'clients unblock',
    summary: 'Admits a blocked client again. Ended credentials stay ended.',
    arguments: { id },
    options: { tenant },
    examples: ['cli clients unblock cli_…'],
    run: async (context, values) => (await actions(context)).setBlocked(values, false),
  }),
  defineSharedCommand({
    name: 'clients verify',
    summary: 'Vouches for a client: the consent page no longer warns about it.',
    arguments: { id },
    examples: ['cli clients verify cli_…'],
    run: async (context, values) => (await actions(context)).setVerified(values, true),
  }),
  defineSharedCommand({
    name: 'clients unverify',
    summary: 'Takes the verification back: the consent page warns again.',
    arguments: { id },
    examples: ['cli clients unverify cli_…'],
    run: async (context, values) => (await actions(context)).setVerified(values, false),
  }),
  defineSharedCommand({
    name: 'clients require-par',
    summary: 'Requires a client to push its authorization requests (RFC 9126).',
    arguments: { id },
    examples: ['cli clients require-par cli_…'],
    run: async (context, values) =>
      (await actions(context)).setRequiresPushedRequests(values, true),
  }),
  defineSharedCommand({
    name: 'clients unrequire-par',
    summary: 'Accepts authorization requests of a client that were not pushed.',
    arguments: { id },
    examples: ['cli clients unrequire-par cli_…'],
    run: async (context, values) =>
      (await actions(context)).setRequiresPushedRequests(values, false),
  }),
];

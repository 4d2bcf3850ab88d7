import { eitherOf } from '../backend.js';
import { defineSharedCommand, type Command } from '../command.js';
import { defineSharedList } from '../listing.js';
import { ANNOTATIONS, BY_ANNOTATIONS } from './annotation-options.js';

const actions = eitherOf(
  () => import('../actions/tenants.js'),
  () => import('../remote/tenants.js'),
);

const tenant = { orOption: true, summary: 'id or slug of the tenant' } as const;
const NAMES = {
  name: { value: 'NAME', summary: 'new name' },
  slug: { value: 'SLUG', summary: 'new slug: lower-case letters, digits and dashes' },
} as const;

export const TENANT_COMMANDS: readonly Command[] = [
  defineSharedCommand({
    name: 'tenants create',
    summary: 'Creates a tenant with its default space.',
    arguments: { name: { orOption: true, summary: 'name of the tenant' } },
    options: {
      slug: { value: 'SLUG', summary: 'short name for URLs and commands (from the name)' },
      ...ANNOTATIONS,
    },
    examples: ['cli tenants create "Acme"', 'cli tenants create "Acme Ltd" --slug acme'],
    run: async (context, values) => (await actions(context)).createTenant(values),
  }),
  defineSharedList({
    name: 'tenants list',
    summary: 'Lists the tenants, by slug.',
    options: BY_ANNOTATIONS,
    examples: ['cli tenants list --all', 'cli tenants list --external-id 4711'],
    columns: ['id', 'slug', 'name', 'status', 'externalId', 'createdAt'],
    open: async (context, values) => (await actions(context)).listTenants(values),
  }),
  defineSharedCommand({
    name: 'tenants update',
    summary: 'Changes the name, the slug, the external id or the metadata of a tenant.',
    arguments: { tenant },
    options: { ...NAMES, ...ANNOTATIONS },
    examples: [
      'cli tenants update acme --name "Acme Ltd"',
      `cli tenants update acme --external-id 4711 --metadata '{"plan": "pro"}'`,
    ],
    run: async (context, values) => (await actions(context)).updateTenant(values),
  }),
  defineSharedCommand({
    name: 'tenants suspend',
    summary: 'Stops all credentials of a tenant until it is resumed.',
    arguments: { tenant },
    examples: ['cli tenants suspend acme --yes'],
    schema: 'any',
    question: ({ tenant: named }) =>
      `Suspend ${named}? Its credentials stop working until you resume it.`,
    run: async (context, values) => (await actions(context)).setSuspended(values, true),
  }),
  defineSharedCommand({
    name: 'tenants resume',
    summary: 'Ends a suspension.',
    arguments: { tenant },
    examples: ['cli tenants resume acme'],
    run: async (context, values) => (await actions(context)).setSuspended(values, false),
  }),
];

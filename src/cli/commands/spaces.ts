import { eitherOf } from '../backend.js';
import { defineSharedCommand, type Command } from '../command.js';
import { defineSharedList } from '../listing.js';
import { ANNOTATIONS, BY_ANNOTATIONS } from './annotation-options.js';

const actions = eitherOf(
  () => import('../actions/spaces.js'),
  () => import('../remote/spaces.js'),
);

const tenant = { value: 'TENANT', required: true, summary: 'id or slug of the tenant' } as const;

export const SPACE_COMMANDS: readonly Command[] = [
  defineSharedCommand({
    name: 'spaces create',
    summary: 'Creates a space in a tenant.',
    arguments: { name: { orOption: true, summary: 'name of the space' } },
    options: { tenant, ...ANNOTATIONS },
    examples: ['cli spaces create "East yard" --tenant acme'],
    run: async (context, values) => (await actions(context)).createSpace(values),
  }),
  defineSharedList({
    name: 'spaces list',
    summary: "Lists a tenant's spaces, newest first.",
    options: { tenant, ...BY_ANNOTATIONS },
    examples: ['cli spaces list --tenant acme'],
    open: async (context, values) => (await actions(context)).listSpaces(values),
  }),
  defineSharedCommand({
    name: 'spaces rename',
    summary: 'Renames a space.',
    arguments: {
      id: { required: true, summary: 'id of the space (spc_…)' },
      name: { orOption: true, summary: 'new name' },
    },
    options: { tenant },
    examples: ['cli spaces rename spc_… "West yard" --tenant acme'],
    run: async (context, values) => (await actions(context)).renameSpace(values),
  }),
  defineSharedCommand({
    name: 'spaces update',
    summary: 'Changes the name, the external id or the metadata of a space.',
    arguments: { id: { required: true, summary: 'id of the space (spc_…)' } },
    options: { tenant, name: { value: 'NAME', summary: 'new name' }, ...ANNOTATIONS },
    examples: ['cli spaces update spc_… --tenant acme --external-id yard-7'],
    run: async (context, values) => (await actions(context)).updateSpace(values),
  }),
];

import { defineCommand, type Command } from '../command.js';
import { defineList } from '../listing.js';
import { ANNOTATIONS, BY_ANNOTATIONS } from './annotation-options.js';

const actions = () => import('../actions/spaces.js');

const tenant = { value: 'TENANT', required: true, summary: 'id or slug of the tenant' } as const;

export const SPACE_COMMANDS: readonly Command[] = [
  defineCommand({
    name: 'spaces create',
    summary: 'Creates a space in a tenant.',
    arguments: { name: { orOption: true, summary: 'name of the space' } },
    options: { tenant, ...ANNOTATIONS },
    examples: ['cli spaces create "East yard" --tenant acme'],
    run: async (context, values) => (await actions()).createSpace(context, values),
  }),
  defineList({
    name: 'spaces list',
    summary: "Lists a tenant's spaces, newest first.",
    options: { tenant, ...BY_ANNOTATIONS },
    examples: ['cli spaces list --tenant acme'],
    open: async (context, values) => (await actions()).listSpaces(context, values),
  }),
  defineCommand({
    name: 'spaces rename',
    summary: 'Renames a space.',
    arguments: {
      id: { required: true, summary: 'id of the space (spc_…)' },
      name: { orOption: true, summary: 'new name' },
    },
    options: { tenant },
    examples: ['cli spaces rename spc_… "West yard" --tenant acme'],
    run: async (context, values) => (await actions()).renameSpace(context, values),
  }),
  defineCommand({
    name: 'spaces update',
    summary: 'Changes the name, the external id or the metadata of a space.',
    arguments: { id: { required: true, summary: 'id of the space (spc_…)' } },
    options: { tenant, name: { value: 'NAME', summary: 'new name' }, ...ANNOTATIONS },
    examples: ['cli spaces update spc_… --tenant acme --external-id yard-7'],
    run: async (context, values) => (await actions()).updateSpace(context, values),
  }),
];

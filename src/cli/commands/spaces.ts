import { defineCommand, type Command } from '../command.js';
import { defineList } from '../listing.js';

const actions = () => import('../actions/spaces.js');

const tenant = { value: 'TENANT', required: true, summary: 'id or slug of the tenant' } as const;

export const SPACE_COMMANDS: readonly Command[] = [
  defineCommand({
    name: 'spaces create',
    summary: 'Creates a space in a tenant.',
    arguments: { name: { orOption: true, summary: 'name of the space' } },
    options: { tenant },
    examples: ['cli spaces create "East yard" --tenant acme'],
    run: async (context, values) => (await actions()).createSpace(context, values),
  }),
  defineList({
    name: 'spaces list',
    summary: "Lists a tenant's spaces, newest first.",
    options: { tenant },
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
];

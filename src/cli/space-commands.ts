import type { EntityManager } from 'typeorm';

import { OPERATOR } from '../audit/audit-log.js';
import { presentSpace } from '../spaces/space-presenter.js';
import { spaceFields } from '../spaces/space-schema.js';
import { createSpaceService, type SpaceManager } from '../spaces/space-service.js';
import type { Arguments, Command } from './command.js';
import { listCommand, pageOf } from './listing.js';
import { parseOption } from './parse-option.js';
import { getTenant } from './tenant-commands.js';

const OPTIONS = { tenant: { type: 'string' }, name: { type: 'string' } } as const;

export const SPACE_COMMANDS: readonly Command[] = [
  listCommand({
    name: 'spaces list',
    usage: '--tenant TENANT',
    summary: "Lists a tenant's spaces, newest first.",
    options: { tenant: { type: 'string' } },
    async open({ manager }, args) {
      const by = await operatorOf(manager, args);
      const service = createSpaceService(manager);
      return {
        async read(page: { limit: number; after: number | undefined }) {
          const found = await service.list(by, page);
          return pageOf(found, page.limit, ({ seq }) => Number(seq));
        },
        present: presentSpace,
      };
    },
  }),
  {
    name: 'spaces create',
    usage: '<name> --tenant TENANT',
    summary: 'Creates a space. The name can be given as --name too.',
    options: OPTIONS,
    positionals: [0, 1],
    async run({ manager }, args) {
      const name = nameOf(args, 0);
      const by = await operatorOf(manager, args);
      return presentSpace(await createSpaceService(manager).create(by, name));
    },
  },
  {
    name: 'spaces rename',
    usage: '<space id> <new name> --tenant TENANT',
    summary: 'Renames a space. The new name can be given as --name too.',
    options: OPTIONS,
    positionals: [1, 2],
    async run({ manager }, args) {
      const name = nameOf(args, 1);
      const by = await operatorOf(manager, args);
      const id = args.positionals[0] ?? '';
      return presentSpace(await createSpaceService(manager).rename(by, id, name));
    },
  },
];

function nameOf(args: Arguments, position: number): string {
  return parseOption(
    'name',
    spaceFields.shape.name,
    args.positionals[position] ?? args.required('name'),
  );
}

async function operatorOf(manager: EntityManager, args: Arguments): Promise<SpaceManager> {
  const { id } = await getTenant(manager, args.required('tenant'));
  return { actor: OPERATOR, tenantId: id, spaces: null, environment: 'live' };
}

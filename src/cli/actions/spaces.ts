import type { EntityManager } from 'typeorm';

import { OPERATOR } from '../../audit/index.js';
import {
  createSpaceService,
  presentSpace,
  type Space,
  spaceFields,
  type SpaceManager,
} from '../../spaces/index.js';
import type { CommandContext } from '../command.js';
import { pageOf, type OpenList } from '../listing.js';
import { parseOption } from '../parse-option.js';
import { getTenant } from './tenants.js';

interface InTenant {
  readonly tenant: string;
}

interface Named extends InTenant {
  readonly name: string;
}

export async function createSpace({ manager }: CommandContext, values: Named) {
  const name = parseOption('name', spaceFields.shape.name, values.name);
  const by = await operatorOf(manager, values);
  return presentSpace(await createSpaceService(manager).create(by, name));
}

export async function listSpaces(
  { manager }: CommandContext,
  values: InTenant,
): Promise<OpenList<Space, number>> {
  const by = await operatorOf(manager, values);
  const service = createSpaceService(manager);
  return {
    async read(page) {
      const found = await service.list(by, page);
      return pageOf(found, page.limit, ({ seq }) => Number(seq));
    },
    present: presentSpace,
  };
}

export async function renameSpace(
  { manager }: CommandContext,
  values: Named & { readonly id: string },
) {
  const name = parseOption('name', spaceFields.shape.name, values.name);
  const by = await operatorOf(manager, values);
  return presentSpace(await createSpaceService(manager).rename(by, values.id, name));
}

async function operatorOf(manager: EntityManager, { tenant }: InTenant): Promise<SpaceManager> {
  const { id } = await getTenant(manager, tenant);
  return { actor: OPERATOR, tenantId: id, spaces: null, environment: 'live' };
}

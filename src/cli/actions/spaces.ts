import type { EntityManager } from 'typeorm';

import { OPERATOR } from '../../audit/index.js';
import { parseWith } from '../../http/validation.js';
import {
  createSpaceService,
  presentSpace,
  type Space,
  spaceChange,
  spaceFields,
  type SpaceManager,
} from '../../spaces/index.js';
import {
  filterOf,
  type AnnotationValues,
  type FilterValues,
  givenAnnotations,
} from '../annotations.js';
import type { CommandContext } from '../command.js';
import { givenSpaceChange } from '../given.js';
import { pageOf, type OpenList } from '../listing.js';
import { getTenant } from './tenants.js';

interface InTenant {
  readonly tenant: string;
}

export async function createSpace(
  { manager }: CommandContext,
  values: InTenant & AnnotationValues & { readonly name: string },
) {
  const fields = parseWith(spaceFields, { name: values.name, ...givenAnnotations(values) });
  const by = await operatorOf(manager, values);
  return presentSpace(await createSpaceService(manager).create(by, fields));
}

export async function listSpaces(
  { manager }: CommandContext,
  values: InTenant & FilterValues,
): Promise<OpenList<Space, number>> {
  const by = await operatorOf(manager, values);
  const service = createSpaceService(manager);
  const filter = filterOf(values);
  return {
    async read(page) {
      const found = await service.list(by, page, filter);
      return pageOf(found, page.limit, ({ seq }) => Number(seq));
    },
    present: presentSpace,
  };
}

export async function renameSpace(
  { manager }: CommandContext,
  values: InTenant & { readonly id: string; readonly name: string },
) {
  const by = await operatorOf(manager, values);
  const change = parseWith(spaceChange, { name: values.name });
  return presentSpace(await createSpaceService(manager).change(by, values.id, change));
}

export async function updateSpace(
  { manager }: CommandContext,
  values: InTenant & AnnotationValues & { readonly id: string; readonly name: string | undefined },
) {
  const given = givenSpaceChange(values);
  const by = await operatorOf(manager, values);
  const change = parseWith(spaceChange, given);
  return presentSpace(await createSpaceService(manager).change(by, values.id, change));
}

async function operatorOf(manager: EntityManager, { tenant }: InTenant): Promise<SpaceManager> {
  const { id } = await getTenant(manager, tenant);
  return { actor: OPERATOR, tenantId: id, spaces: null, environment: 'live' };
}

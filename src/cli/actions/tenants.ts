import type { EntityManager } from 'typeorm';

import { OPERATOR } from '../../audit/index.js';
import { parseWith } from '../../http/validation.js';
import {
  createTenantService,
  createTenantStore,
  newTenant,
  presentTenant,
  type StoredTenant,
  tenantChange,
} from '../../tenants/index.js';
import { filterOf, type AnnotationValues, type FilterValues } from '../annotations.js';
import type { CommandContext } from '../command.js';
import { givenTenant, givenTenantChange } from '../given.js';
import { pageOf, type OpenList } from '../listing.js';

/** @throws Problem `not_found` */
export function getTenant(manager: EntityManager, idOrSlug: string): Promise<StoredTenant> {
  return createTenantService(manager).find(idOrSlug);
}

export async function createTenant(
  { manager }: CommandContext,
  values: AnnotationValues & { readonly name: string; readonly slug: string | undefined },
) {
  const fields = parseWith(newTenant, givenTenant(values));
  return presentTenant(await createTenantService(manager).create(OPERATOR, fields));
}

export async function listTenants(
  { manager }: CommandContext,
  values: FilterValues,
): Promise<OpenList<StoredTenant, string>> {
  const store = createTenantStore(manager);
  const filter = filterOf(values);
  return {
    async read({ limit, after }) {
      const page = { limit, after, order: 'slug', filter } as const;
      const { found, resumeAfter } = await store.list(page);
      return pageOf(found, limit, ({ slug }) => slug, resumeAfter);
    },
    present: presentTenant,
  };
}

export async function updateTenant(
  { manager }: CommandContext,
  values: AnnotationValues & {
    readonly tenant: string;
    readonly name: string | undefined;
    readonly slug: string | undefined;
  },
) {
  const change = parseWith(tenantChange, givenTenantChange(values));
  const service = createTenantService(manager);
  const { id } = await getTenant(manager, values.tenant);
  await service.update(OPERATOR, id, change);
  return presentTenant(await service.find(id));
}

/** Suspends a tenant, or ends its suspension. Only a change leaves a trace. */
export async function setSuspended(
  { manager }: CommandContext,
  values: { readonly tenant: string },
  isSuspended: boolean,
) {
  const { id } = await getTenant(manager, values.tenant);
  return presentTenant(await createTenantService(manager).setSuspended(OPERATOR, id, isSuspended));
}

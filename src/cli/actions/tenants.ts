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
import {
  filterOf,
  type AnnotationValues,
  type FilterValues,
  givenAnnotations,
} from '../annotations.js';
import type { CommandContext } from '../command.js';
import { Misuse, Refused } from '../errors.js';
import { pageOf, type OpenList } from '../listing.js';

/** @throws Refused if there is no such tenant */
export async function getTenant(manager: EntityManager, idOrSlug: string): Promise<StoredTenant> {
  const tenant = await createTenantStore(manager).find(idOrSlug);
  if (tenant === undefined) throw new Refused(`There is no tenant ${idOrSlug}.`);
  return tenant;
}

export async function createTenant(
  { manager }: CommandContext,
  values: AnnotationValues & { readonly name: string; readonly slug: string | undefined },
) {
  const { name, slug } = values;
  const fields = parseWith(newTenant, { name, slug, ...givenAnnotations(values) });
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
      const found = await store.list({ limit: limit + 1, after, filter });
      return pageOf(found, limit, ({ slug }) => slug);
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
  const { name, slug } = values;
  const given = {
    ...(name !== undefined && { name }),
    ...(slug !== undefined && { slug }),
    ...givenAnnotations(values),
  };
  if (Object.keys(given).length === 0) {
    throw new Misuse('Give --name, --slug, --external-id or --metadata.');
  }
  const change = parseWith(tenantChange, given);
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

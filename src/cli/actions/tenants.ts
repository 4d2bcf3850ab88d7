import type { EntityManager } from 'typeorm';

import { createAuditLog, OPERATOR } from '../../audit/index.js';
import {
  createTenantService,
  createTenantStore,
  tenantFields,
  type Tenant,
} from '../../tenants/index.js';
import type { CommandContext } from '../command.js';
import { Misuse, Refused } from '../errors.js';
import { pageOf, type OpenList } from '../listing.js';
import { parseOption } from '../parse-option.js';

/** @throws Refused if there is no such tenant */
export async function getTenant(manager: EntityManager, idOrSlug: string): Promise<Tenant> {
  const tenant = await createTenantStore(manager).find(idOrSlug);
  if (tenant === undefined) throw new Refused(`There is no tenant ${idOrSlug}.`);
  return tenant;
}

export async function createTenant(
  { manager }: CommandContext,
  values: { readonly name: string; readonly slug: string | undefined },
) {
  const name = parseOption('name', tenantFields.shape.name, values.name);
  const wanted = values.slug ?? slugOf(name);
  const slug = parseOption('slug', tenantFields.shape.slug, wanted);
  const tenant = await createTenantStore(manager).create({ name, slug });
  if (tenant === undefined) throw new Refused(`The slug ${wanted} is taken.`);
  await createAuditLog(manager).record(OPERATOR, {
    tenantId: tenant.id,
    action: 'tenant.create',
    subject: tenant.id,
    details: { slug: tenant.slug, name },
  });
  return present(tenant);
}

export async function listTenants({ manager }: CommandContext): Promise<OpenList<Tenant, string>> {
  const store = createTenantStore(manager);
  return {
    async read({ limit, after }) {
      const found = await store.list({ limit: limit + 1, after });
      return pageOf(found, limit, ({ slug }) => slug);
    },
    present,
  };
}

export async function updateTenant(
  { manager }: CommandContext,
  values: {
    readonly tenant: string;
    readonly name: string | undefined;
    readonly slug: string | undefined;
  },
) {
  const { name, slug } = values;
  if (name === undefined && slug === undefined) throw new Misuse('Give --name or --slug.');
  const tenant = await getTenant(manager, values.tenant);
  const fields = {
    ...(name !== undefined && { name: parseOption('name', tenantFields.shape.name, name) }),
    ...(slug !== undefined && { slug: parseOption('slug', tenantFields.shape.slug, slug) }),
  };
  const updated = await createTenantService(manager).update(OPERATOR, tenant.id, fields);
  if (updated === 'taken') throw new Refused(`The slug ${slug} is taken.`);
  return present(await getTenant(manager, tenant.id));
}

/** Suspends a tenant, or ends its suspension. Only a change leaves a trace. */
export async function setSuspended(
  { manager }: CommandContext,
  values: { readonly tenant: string },
  isSuspended: boolean,
) {
  const tenant = await getTenant(manager, values.tenant);
  await createTenantStore(manager).setSuspended(tenant.id, isSuspended);
  if ((tenant.suspendedAt !== null) !== isSuspended) {
    await createAuditLog(manager).record(OPERATOR, {
      tenantId: tenant.id,
      action: isSuspended ? 'tenant.suspend' : 'tenant.resume',
      subject: tenant.id,
    });
  }
  return present(await getTenant(manager, tenant.id));
}

function present({ id, slug, name, suspendedAt, createdAt }: Tenant) {
  const status = suspendedAt === null ? 'active' : 'suspended';
  return { id, slug, name, status, suspendedAt, createdAt };
}

function slugOf(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63);
}

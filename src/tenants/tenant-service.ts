import type { EntityManager } from 'typeorm';
import { z } from 'zod';

import { createAuditLog, type Actor } from '../audit/index.js';
import { text } from '../http/validation.js';
import { createTenantStore } from './tenant-store.js';
import { Tenant } from './tenant.entity.js';

/** The members of a tenant that can be changed. */
export const tenantFields = z.strictObject({
  name: text(100),
  slug: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be lower-case letters, digits and dashes'),
});

/** A change of a tenant. */
export interface TenantChange {
  readonly name?: string;
  readonly slug?: string;
  /** The name that the actor has seen. If the tenant has another one by now, the result is `changed`. */
  readonly seen?: string;
}

/** Changes tenants, with an audit entry each. */
export interface TenantService {
  /** @returns `taken` for a slug of another tenant, `changed` if `seen` is not the name any more; `undefined` if unknown */
  update(
    actor: Actor,
    id: string,
    change: TenantChange,
  ): Promise<Tenant | 'taken' | 'changed' | undefined>;
}

/** @param manager of a transaction, so that a change and its audit entry commit together */
export function createTenantService(manager: EntityManager): TenantService {
  const store = createTenantStore(manager);
  const audit = createAuditLog(manager);
  return {
    async update(actor, id, { seen, ...fields }) {
      const tenant = await manager.findOne(Tenant, {
        where: { id },
        lock: { mode: 'for_no_key_update' },
      });
      if (tenant === null) return undefined;
      if (seen !== undefined && seen !== tenant.name) return 'changed';
      const { slug } = fields;
      const owner = slug === undefined ? undefined : await store.find(slug);
      if (owner !== undefined && owner.id !== id) return 'taken';
      const before = { name: tenant.name, slug: tenant.slug };
      const members = (['name', 'slug'] as const).filter(
        (member) => fields[member] !== undefined && fields[member] !== before[member],
      );
      // The same values are not a change.
      if (members.length === 0) return tenant;
      const pick = (values: TenantChange) =>
        Object.fromEntries(members.map((member) => [member, values[member]]));
      await store.update(id, pick(fields));
      const details = { before: pick(before), after: pick(fields) };
      await audit.record(actor, { tenantId: id, action: 'tenant.update', subject: id, details });
      return Object.assign(tenant, pick(fields));
    },
  };
}

import type { EntityManager } from 'typeorm';

import { createId } from '../db/id.js';
import { prepared } from '../db/prepared.js';
import { rowsToFetch } from '../db/space-rows.js';
import type { Space } from '../spaces/index.js';
import { Tenant } from './tenant.entity.js';

export interface TenantStore {
  /**
   * Creates a tenant with its default space.
   * @returns `undefined` if the slug is taken
   */
  create(fields: { slug: string; name: string }): Promise<Tenant | undefined>;
  /** @param idOrSlug ids and slugs never collide */
  find(idOrSlug: string): Promise<Tenant | undefined>;
  /** Sorted by slug, up to `limit`, after the slug `after`. */
  list(page: { limit: number; after?: string | undefined }): Promise<readonly Tenant[]>;
  update(id: string, fields: { slug?: string; name?: string }): Promise<void>;
  /** Suspends or resumes. Idempotent. */
  setSuspended(id: string, isSuspended: boolean): Promise<void>;
}

export function createTenantStore(manager: EntityManager): TenantStore {
  const tenants = manager.getRepository(Tenant);
  return {
    async create({ slug, name }) {
      const id = createId('tnt');
      const inserted = await tenants
        .createQueryBuilder()
        .insert()
        .values({ id, slug, name })
        .orIgnore()
        .returning('id')
        .execute();
      if (inserted.raw.length === 0) return undefined;
      const space = { id: createId('spc'), tenantId: id, name: 'Default', isDefault: true };
      await manager.insert<Space>('Space', space);
      return tenants.findOneByOrFail({ id });
    },
    async find(idOrSlug) {
      return (await tenants.findOneBy([{ id: idOrSlug }, { slug: idOrSlug }])) ?? undefined;
    },
    list: (page) => list(manager, page),
    async update(id, fields) {
      if (Object.keys(fields).length > 0) await tenants.update({ id }, fields);
    },
    async setSuspended(id, isSuspended) {
      await tenants
        .createQueryBuilder()
        .update()
        .set({
          suspendedAt: () => (isSuspended ? 'coalesce(suspended_at, gatehouse_now())' : 'NULL'),
        })
        .where({ id })
        .execute();
    },
  };
}

async function list(
  manager: EntityManager,
  { limit, after }: { readonly limit: number; readonly after?: string | undefined },
): Promise<readonly Tenant[]> {
  const fetched = rowsToFetch(limit - 1);
  const rows = await prepared(manager)<Tenant>(
    {
      name: `list-tenants-${fetched}`,
      text: `SELECT id, slug, name, suspended_at AS "suspendedAt", created_at AS "createdAt"
        FROM tenants WHERE slug > $1 ORDER BY slug LIMIT ${fetched}`,
    },
    [after ?? ''],
  );
  return rows.slice(0, limit);
}

import type { EntityManager } from 'typeorm';

import { BEHIND_ALL_IDS, createId } from '../db/id.js';
import { type FoundAnnotated, listAnnotated } from '../http/annotated-list.js';
import {
  type AnnotationChange,
  type AnnotationFilter,
  storedMetadata,
  withFreeExternalId,
} from '../http/annotations.js';
import type { PageRequest } from '../http/pagination.js';
import type { Space } from '../spaces/index.js';
import { Tenant } from './tenant.entity.js';

/** A tenant as it is stored. */
export type StoredTenant = Readonly<Tenant>;

interface Fields extends AnnotationChange {
  readonly slug?: string | undefined;
  readonly name?: string | undefined;
}

export interface TenantStore {
  /**
   * Creates a tenant with its default space.
   * @returns `undefined` if the slug or the external id is taken
   */
  create(
    fields: { readonly slug: string; readonly name: string } & AnnotationChange,
  ): Promise<StoredTenant | undefined>;
  /** @param idOrSlug ids and slugs never collide */
  find(idOrSlug: string): Promise<StoredTenant | undefined>;
  findByExternalId(externalId: string): Promise<StoredTenant | undefined>;
  /** As `find`, with a lock on the row until the transaction ends. */
  findForUpdate(id: string): Promise<StoredTenant | undefined>;
  /** Up to one more than requested, after the slug or id `after`. */
  list(
    page: PageRequest<string> & {
      readonly order: keyof typeof ORDERS;
      readonly filter?: AnnotationFilter;
    },
  ): Promise<FoundAnnotated<StoredTenant>>;
  /** @throws Problem `conflict` for a slug or an external id that another tenant has */
  update(id: string, fields: Fields): Promise<void>;
  /** Suspends or resumes. Idempotent. */
  setSuspended(id: string, isSuspended: boolean): Promise<void>;
}

export function slugTaken(slug: string): string {
  return `The slug ${slug} is taken.`;
}

/** By way of JSON, so that tenants can be found on a schema without the last columns. */
const COLUMNS = `t.id, t.slug, t.name, t.suspended_at AS "suspendedAt", t.created_at AS "createdAt",
  to_jsonb(t) ->> 'external_id' AS "externalId", nullif(to_jsonb(t) -> 'metadata', 'null') AS metadata`;

const TABLE = { name: 'tenants', columns: COLUMNS } as const;

const ORDERS = {
  slug: { column: 'slug', direction: 'ASC', start: '' },
  newest: { column: 'id', direction: 'DESC', start: BEHIND_ALL_IDS },
} as const;

export function createTenantStore(manager: EntityManager): TenantStore {
  const tenants = manager.getRepository(Tenant);
  const findWhere = async (condition: string, value: string) =>
    (
      await manager.query<StoredTenant[]>(`SELECT ${COLUMNS} FROM tenants t WHERE ${condition}`, [
        value,
      ])
    )[0];
  return {
    async create({ slug, name, ...annotations }) {
      const id = createId('tnt');
      const inserted = await tenants
        .createQueryBuilder()
        .insert()
        .values({ id, slug, name, ...columnsOf(annotations) })
        .orIgnore()
        .returning('id')
        .execute();
      if (inserted.raw.length === 0) return undefined;
      const space = { id: createId('spc'), tenantId: id, name: 'Default', isDefault: true };
      await manager.insert<Space>('Space', space);
      return findWhere('t.id = $1', id);
    },
    find: (idOrSlug) => findWhere('t.id = $1 OR t.slug = $1', idOrSlug),
    findByExternalId: (externalId) => findWhere('t.external_id = $1', externalId),
    findForUpdate: (id) => findWhere('t.id = $1 FOR NO KEY UPDATE', id),
    async update(id, { slug, name, ...annotations }) {
      const { externalId } = annotations;
      const columns = {
        ...(slug !== undefined && { slug }),
        ...(name !== undefined && { name }),
        ...columnsOf(annotations),
      };
      if (Object.keys(columns).length === 0) return;
      // Another transaction may have taken the slug since it was looked up.
      const taken = { tenants_slug_key: slugTaken(slug ?? '') };
      const write = () => tenants.update({ id }, columns);
      await withFreeExternalId('tenant', externalId, write, taken);
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
    list: ({ order, filter = {}, ...page }) =>
      listAnnotated<StoredTenant>(manager, TABLE, { ...page, filter, order: ORDERS[order] }),
  };
}

/** The columns that a change sets. */
function columnsOf({ externalId, metadata }: AnnotationChange) {
  return {
    ...(externalId !== undefined && { externalId }),
    ...(metadata !== undefined && { metadata: storedMetadata(metadata) }),
  };
}

import type { EntityManager } from 'typeorm';

import { createId } from '../db/id.js';
import { prepared } from '../db/prepared.js';
import { rowsToFetch } from '../db/space-rows.js';
import {
  type AnnotationChange,
  type AnnotationFilter,
  conditionsOf,
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
  /** Sorted by slug, up to `limit`, after the slug `after`. */
  list(page: {
    limit: number;
    after?: string | undefined;
    filter?: AnnotationFilter;
  }): Promise<readonly StoredTenant[]>;
  /** Newest first, up to one more than requested, after the id `after`. */
  listNewest(page: PageRequest<string>, filter: AnnotationFilter): Promise<readonly StoredTenant[]>;
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
    ...createLists(manager),
  };
}

function createLists(manager: EntityManager): Pick<TenantStore, 'list' | 'listNewest'> {
  const list = (
    limit: number,
    order: { readonly by: 'slug' | 'id DESC'; readonly after: string | undefined },
    filter: AnnotationFilter,
  ) => {
    const values: unknown[] = [];
    const parameter = (value: string) => `$${values.push(value)}`;
    const columns = { externalId: 't.external_id', metadata: 't.metadata' };
    const conditions = [...conditionsOf(filter, parameter, columns)];
    const names = [filter.externalId === undefined ? 'any' : 'id', conditions.length];
    if (order.after !== undefined) {
      const after = parameter(order.after);
      conditions.push(order.by === 'slug' ? `t.slug > ${after}` : `t.id < ${after}`);
      names.push('after');
    }
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    return prepared(manager)<StoredTenant>(
      {
        name: `list-tenants-${order.by === 'slug' ? 'slug' : 'newest'}-${names.join('-')}-${limit}`,
        text: `SELECT ${COLUMNS} FROM tenants t ${where} ORDER BY t.${order.by} LIMIT ${limit}`,
      },
      values,
    );
  };
  return {
    async list({ limit, after, filter = {} }) {
      const found = await list(rowsToFetch(limit - 1), { by: 'slug', after }, filter);
      return found.slice(0, limit);
    },
    async listNewest({ limit, after }, filter) {
      const found = await list(rowsToFetch(limit), { by: 'id DESC', after }, filter);
      return found.slice(0, limit + 1);
    },
  };
}

/** The columns that a change sets. */
function columnsOf({ externalId, metadata }: AnnotationChange) {
  return {
    ...(externalId !== undefined && { externalId }),
    ...(metadata !== undefined && { metadata: storedMetadata(metadata) }),
  };
}

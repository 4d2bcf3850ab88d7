import type { EntityManager } from 'typeorm';

import { createId } from '../db/id.js';
import { prepared } from '../db/prepared.js';
import { LATEST, rowsToFetch } from '../db/space-rows.js';
import type { WrittenRow } from '../db/written-rows.js';
import {
  type AnnotationChange,
  type AnnotationFilter,
  conditionsOf,
  storedMetadata,
  withFreeExternalId,
} from '../http/annotations.js';
import type { PageRequest } from '../http/pagination.js';
import { findWritten } from './space-page.js';
import { Space } from './space.entity.js';

/** Maximum spaces of a tenant. Limits the lists of spaces of credentials too. */
export const MAX_SPACES = 1000;

export interface SpaceStore {
  /**
   * Newest first, up to one more than requested.
   * @param spaceIds the spaces to list; `null` for all of the tenant's
   */
  list(
    tenantId: string,
    spaceIds: readonly string[] | null,
    page: PageRequest,
    filter?: AnnotationFilter,
  ): Promise<readonly Space[]>;
  /**
   * As `list`, for all spaces of the tenant as the API shows them.
   * @returns `undefined` for names with control characters: read the rows one by one then
   */
  listWritten(tenantId: string, page: PageRequest): Promise<readonly WrittenRow[] | undefined>;
  find(tenantId: string, id: string): Promise<Space | undefined>;
  findDefault(tenantId: string): Promise<Space | undefined>;
  /**
   * Needs a transaction. Exact under concurrency.
   * @returns `taken` for a name that the tenant uses already, `full` at `MAX_SPACES`
   * @throws Problem `conflict` for an external id that another space of the tenant has
   */
  create(
    tenantId: string,
    name: string,
    annotations?: AnnotationChange,
  ): Promise<Space | 'taken' | 'full'>;
  /**
   * Sets the external id and the metadata.
   * @throws Problem as `create` does
   */
  annotate(tenantId: string, id: string, annotations: AnnotationChange): Promise<void>;
  /**
   * Needs a transaction.
   * @returns `undefined` if it does not exist
   */
  rename(tenantId: string, id: string, name: string): Promise<Space | 'taken' | undefined>;
}

export function createSpaceStore(manager: EntityManager): SpaceStore {
  const spaces = manager.getRepository(Space);
  const find = async (tenantId: string, id: string) =>
    (await spaces.findOneBy({ tenantId, id })) ?? undefined;
  // Every tenant has a default space, whose row serves as the lock for all of them. Foreign key checks do not wait for it.
  const lockAll = (tenantId: string) =>
    spaces
      .createQueryBuilder('space')
      .select('space.id')
      .where({ tenantId, isDefault: true })
      .setLock('for_no_key_update')
      .getOne();
  const isTaken = (tenantId: string, name: string, byOtherThan: string | null) =>
    spaces
      .createQueryBuilder('space')
      .where({ tenantId })
      .andWhere('lower(space.name) = lower(:name)', { name })
      .andWhere('space.id IS DISTINCT FROM :byOtherThan', { byOtherThan })
      .getExists();

  return {
    find,
    list: (tenantId, spaceIds, page, filter = {}) =>
      list(manager, tenantId, spaceIds, { ...page, filter }),
    listWritten: (tenantId, page) => findWritten(manager, tenantId, page),
    async findDefault(tenantId) {
      return (await spaces.findOneBy({ tenantId, isDefault: true })) ?? undefined;
    },
    async create(tenantId, name, annotations = {}) {
      await lockAll(tenantId);
      if (await isTaken(tenantId, name, null)) return 'taken';
      if ((await spaces.countBy({ tenantId })) >= MAX_SPACES) return 'full';
      const id = createId('spc');
      const row = { id, tenantId, name, isDefault: false, ...columnsOf(annotations) };
      await withFreeExternalId('space', annotations.externalId, () => spaces.insert(row));
      return spaces.findOneByOrFail({ tenantId, id });
    },
    async annotate(tenantId, id, annotations) {
      const { externalId } = annotations;
      const columns = columnsOf(annotations);
      if (Object.keys(columns).length === 0) return;
      await withFreeExternalId('space', externalId, () => spaces.update({ tenantId, id }, columns));
    },
    async rename(tenantId, id, name) {
      await lockAll(tenantId);
      if (await isTaken(tenantId, name, id)) return 'taken';
      await spaces.update({ tenantId, id }, { name });
      return find(tenantId, id);
    },
  };
}

/** @returns `undefined` for an unknown space */
export async function findTenantOfSpace(
  manager: EntityManager,
  id: string,
): Promise<string | undefined> {
  return (await manager.getRepository(Space).findOneBy({ id }))?.tenantId;
}

/** The columns that a change sets. */
function columnsOf({ externalId, metadata }: AnnotationChange) {
  return {
    ...(externalId !== undefined && { externalId }),
    ...(metadata !== undefined && { metadata: storedMetadata(metadata) }),
  };
}

async function list(
  manager: EntityManager,
  tenantId: string,
  spaceIds: readonly string[] | null,
  { limit, after, filter }: PageRequest & { readonly filter: AnnotationFilter },
): Promise<readonly Space[]> {
  const fetched = rowsToFetch(limit);
  const values: unknown[] = [tenantId, after === undefined ? LATEST : String(after)];
  if (spaceIds !== null) values.push(spaceIds);
  const conditions = conditionsOf(filter, (value) => `$${values.push(value)}`, {
    externalId: 'external_id',
    metadata: 'metadata',
  });
  const by = filter.externalId === undefined ? conditions.length : `id-${conditions.length}`;
  const rows = await prepared(manager)<Space>(
    {
      name: `list-spaces-${spaceIds === null ? 'all' : 'some'}-${by}-${fetched}`,
      text: `SELECT id, tenant_id AS "tenantId", name, is_default AS "isDefault", seq, created_at AS "createdAt",
          external_id AS "externalId", metadata
        FROM spaces
        WHERE ${[
          'tenant_id = $1 AND seq < $2::bigint',
          ...(spaceIds === null ? [] : ['id = ANY ($3::text[])']),
          ...conditions,
        ].join(' AND ')}
        ORDER BY seq DESC LIMIT ${fetched}`,
    },
    values,
  );
  return rows.slice(0, limit + 1);
}

import type { EntityManager } from 'typeorm';

import type { PageRequest } from '../../http/pagination.js';
import { findInSpace, listInSpace, type Found, type SpaceTable } from '../../db/space-rows.js';
import type { SpaceContext } from '../../spaces/index.js';
import type { ProductFields } from './product-schema.js';
import type { Product } from './product.js';

export interface ProductStore {
  list(context: SpaceContext, page: PageRequest): Promise<Found>;
  find(context: SpaceContext, id: number): Promise<Product | undefined>;
  /**
   * Inserts products, and updates those with the same `sku`.
   * @param products one batch, with distinct `sku`s
   * @returns the numbers of inserted and of changed products; the others were equal
   */
  upsert(context: SpaceContext, products: readonly ProductFields[]): Promise<UpsertCounts>;
}

export interface UpsertCounts {
  readonly created: number;
  readonly updated: number;
}

const UPSERT = `
  WITH written AS (
    INSERT INTO products AS p (tenant_id, environment, space_id, name, sku, description, unit,
        price_cents, currency)
      SELECT $1, $2, $3, name, sku, description, unit, "priceCents", currency
      FROM jsonb_to_recordset($4) AS given
        (name text, sku text, description text, unit text, "priceCents" integer, currency text)
    ON CONFLICT (tenant_id, environment, space_id, sku) WHERE deleted_at IS NULL DO UPDATE
      SET name = excluded.name, description = excluded.description, unit = excluded.unit,
        price_cents = excluded.price_cents, currency = excluded.currency,
        updated_at = gatehouse_now()
      WHERE (p.name, p.description, p.unit, p.price_cents, p.currency) IS DISTINCT FROM
        (excluded.name, excluded.description, excluded.unit, excluded.price_cents, excluded.currency)
    -- No transaction has ended a row that is just being made.
    RETURNING p.xmax = 0 AS is_new)
  SELECT count(*) FILTER (WHERE is_new)::int AS created,
    count(*) FILTER (WHERE NOT is_new)::int AS updated FROM written`;

const PRODUCTS: SpaceTable = {
  name: 'products',
  columns: [
    { member: 'id', name: 'id', type: 'id' },
    { member: 'name', name: 'name', type: 'text' },
    { member: 'sku', name: 'sku', type: 'text' },
    { member: 'description', name: 'description', type: 'text' },
    { member: 'unit', name: 'unit', type: 'text' },
    { member: 'priceCents', name: 'price_cents', type: 'integer' },
    { member: 'currency', name: 'currency', type: 'text' },
    { member: 'createdAt', name: 'created_at', type: 'time' },
    { member: 'updatedAt', name: 'updated_at', type: 'time' },
  ],
};

export function createProductStore(manager: EntityManager): ProductStore {
  return {
    list: (context, page) => listInSpace(manager, PRODUCTS, context, page),
    find: (context, id) => findInSpace<Product>(manager, PRODUCTS, context, id),
    async upsert({ tenantId, environment, spaceId }, given) {
      const [counts] = await manager.query<[UpsertCounts]>(UPSERT, [
        tenantId,
        environment,
        spaceId,
        JSON.stringify(given),
      ]);
      return counts;
    },
  };
}

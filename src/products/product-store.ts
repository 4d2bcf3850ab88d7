import { IsNull, LessThan, type EntityManager } from 'typeorm';

import type { PageRequest } from '../http/pagination.js';
import type { Place } from '../spaces/places.js';
import type { ProductFields } from './product-schema.js';
import { Product } from './product.entity.js';

export interface ProductStore {
  /** Newest first, up to one more than asked for. */
  list(place: Place, page: PageRequest): Promise<readonly Product[]>;
  find(place: Place, id: number): Promise<Product | undefined>;
  /**
   * Creates products, and alters those that are there already under the same number.
   * @param products a bounded number, no two with the same `sku`
   * @returns how many were created and how many altered; the others were like this before
   */
  upsert(place: Place, products: readonly ProductFields[]): Promise<UpsertCounts>;
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

export function createProductStore(manager: EntityManager): ProductStore {
  const products = manager.getRepository(Product);
  const present = ({ tenantId, environment, spaceId }: Place) => ({
    tenantId,
    environment,
    spaceId,
    deletedAt: IsNull(),
  });
  return {
    list: (place, { limit, after }) =>
      products.find({
        where: { ...present(place), ...(after !== undefined && { id: LessThan(String(after)) }) },
        order: { id: 'DESC' },
        take: limit + 1,
      }),
    async find(place, id) {
      return (await products.findOneBy({ ...present(place), id: String(id) })) ?? undefined;
    },
    async upsert({ tenantId, environment, spaceId }, given) {
      const [counts] = await manager.query<[UpsertCounts]>(UPSERT, [
        ...[tenantId, environment, spaceId],
        JSON.stringify(given),
      ]);
      return counts;
    },
  };
}

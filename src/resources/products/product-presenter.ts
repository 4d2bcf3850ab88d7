import { z } from 'zod';

import { time } from '../../http/answers.js';
import type { Product } from './product.js';

export const productAnswer = z.strictObject({
  id: z.int(),
  name: z.string(),
  sku: z.string(),
  description: z.string().nullable(),
  unit: z.string().nullable(),
  priceCents: z.int().nullable(),
  currency: z.string().nullable(),
  createdAt: time,
  updatedAt: time,
});

/** Presents a product. Lists are written with the same members (`PRODUCTS` of the store). */
export function presentProduct(product: Product) {
  return {
    id: Number(product.id),
    name: product.name,
    sku: product.sku,
    description: product.description,
    unit: product.unit,
    priceCents: product.priceCents,
    currency: product.currency,
    createdAt: product.createdAt,
    updatedAt: product.updatedAt,
  };
}

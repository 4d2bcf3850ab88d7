import type { Product } from './product.js';

/** Presents a product to clients and operators. */
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

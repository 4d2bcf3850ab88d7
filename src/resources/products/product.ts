/** A product of a tenant's public catalogue. */
export interface Product {
  readonly id: string;
  readonly name: string;
  /** The tenant's own number, unique within its environment and space. */
  readonly sku: string;
  readonly description: string | null;
  /** The unit of the price, such as `each` or `cubic yard`. */
  readonly unit: string | null;
  readonly priceCents: number | null;
  readonly currency: string | null;
  /** RFC 3339, in UTC. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A thing that a tenant sells or builds with, and shows to the world. */
export interface Product {
  readonly id: string;
  readonly name: string;
  /** The tenant's own number for it, unique where it lives. */
  readonly sku: string;
  readonly description: string | null;
  /** The unit that the price is for, such as `each` or `cubic yard`. */
  readonly unit: string | null;
  readonly priceCents: number | null;
  readonly currency: string | null;
  /** RFC 3339, in UTC. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

import { newProduct } from '../../../src/resources/products/product-schema.js';
import { createProductStore } from '../../../src/resources/products/product-store.js';
import type { SpaceContext } from '../../../src/spaces/space-context.js';
import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import type { TestApp } from './app.js';
import { defaultSpaceOf } from './spaces.js';

/** Products of a tenant, in its live default space unless told otherwise. */
export async function createProducts(
  gatehouse: TestApp,
  tenant: Tenant,
  products: readonly object[],
  elsewhere: Partial<SpaceContext> = {},
): Promise<void> {
  const context: SpaceContext = {
    tenantId: tenant.id,
    environment: 'live',
    spaceId: await defaultSpaceOf(gatehouse, tenant),
    ...elsewhere,
  };
  const parsed = products.map((product) => newProduct.parse(product));
  await createProductStore(gatehouse.dataSource.manager).upsert(context, parsed);
}

import { z } from 'zod';

import { ANY_PRINCIPAL, type GuardedRoute } from '../../credentials/index.js';
import { Problem } from '../../http/errors/problem.js';
import { resourceScope } from '../../scopes/catalog.js';
import { createSpaceReadRoutes, type SpaceReadDependencies } from '../../spaces/index.js';
import { presentProduct, productAnswer } from './product-presenter.js';
import { createProductStore } from './product-store.js';

const NO_FILTERS = z.object({});

/** `/products`: read-only, for publishable keys too. A catalogue without `products:read` has no such route. */
export function createProductRoutes(dependencies: SpaceReadDependencies): GuardedRoute[] {
  const scope = resourceScope('products', 'read');
  if (scope === undefined) return [];
  return createSpaceReadRoutes(dependencies, {
    path: '/products',
    nouns: ['product', 'products'],
    access: { scopes: [scope], principals: ANY_PRINCIPAL, resource: 'products' },
    storeOf: createProductStore,
    filters: NO_FILTERS,
    answer: productAnswer,
    present: presentProduct,
    notFound() {
      throw new Problem('not_found', 'Product not found.');
    },
  });
}

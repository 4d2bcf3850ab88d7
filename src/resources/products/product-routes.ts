import { z } from 'zod';

import { type Access, ANY_PRINCIPAL, type GuardedState } from '../../credentials/index.js';
import { Problem } from '../../http/errors/problem.js';
import type { Route } from '../../http/routes.js';
import type { SpaceContextResolver } from '../../spaces/index.js';
import { presentProduct } from './product-presenter.js';
import { createProductStore } from './product-store.js';

const NO_FILTERS = z.object({});

/** `/products`: read-only, for publishable keys too. */
export function createProductRoutes({
  spaceContext,
}: {
  readonly spaceContext: SpaceContextResolver;
}): Route<Access, GuardedState>[] {
  return spaceContext.readRoutes({
    path: '/products',
    access: { scopes: ['products:read'], principals: ANY_PRINCIPAL, resource: 'products' },
    storeOf: createProductStore,
    filters: NO_FILTERS,
    present: presentProduct,
    notFound() {
      throw new Problem('not_found', 'Product not found.');
    },
  });
}

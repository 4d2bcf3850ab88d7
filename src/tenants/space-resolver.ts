import type { EntityManager } from 'typeorm';

import { Problem } from '../http/problem.js';
import { createTenantStore } from './tenant-store.js';

/** As much of a request as it takes to tell its space. */
export interface SpaceRequest {
  get(header: string): string;
  readonly state: { readonly manager: EntityManager };
}

/** Tells which space a request acts in. Throws the Problem `not_found` if it may not. */
export type SpaceResolver = (
  request: SpaceRequest,
  principal: { readonly tenantId: string; readonly spaces: readonly string[] | null },
) => Promise<string>;

/** @param header by which a request names a space; without it, it acts in the tenant's default one */
export function createSpaceResolver(header: string): SpaceResolver {
  return async (request, { tenantId, spaces }) => {
    const space = await createTenantStore(request.state.manager).findDefaultSpace(tenantId);
    const named = request.get(header);
    const isEntered = space !== undefined && (named === '' || named === space.id);
    if (isEntered && (spaces === null || spaces.includes(space.id))) return space.id;
    throw new Problem('not_found', 'There is no such space, or the credential may not enter it.');
  };
}

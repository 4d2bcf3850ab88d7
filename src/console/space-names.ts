import type { EntityManager } from 'typeorm';

import { compareNames } from '../http/pages/natural-order.js';

/**
 * The names of a tenant's spaces, in the natural order of names.
 *
 * @param spaces their ids; null for all spaces
 */
export async function spaceNames(
  manager: EntityManager,
  tenantId: string,
  spaces: readonly string[] | null,
): Promise<readonly string[] | null> {
  if (spaces === null) return null;
  const rows = await manager.query<{ name: string }[]>(
    'SELECT name FROM spaces WHERE tenant_id = $1 AND id = ANY ($2::text[])',
    [tenantId, spaces],
  );
  return rows.map(({ name }) => name).sort(compareNames);
}

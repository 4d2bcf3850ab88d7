import type { Lookup, LookupQueries } from '../credentials/verification/lookup.js';
import { serviceUnavailable } from '../http/errors/problem.js';

type Family = 'spaces' | 'default_spaces';

/** Batched lookups of spaces. Ids need no quoting in an array literal. */
export const SPACE_QUERIES: LookupQueries<Family> = {
  spaces: (ids) => `SELECT id, NULL, tenant_id FROM spaces WHERE id = ANY (${ids}::text[])`,
  default_spaces: (ids) =>
    `SELECT tenant_id, NULL, id FROM spaces WHERE tenant_id = ANY (${ids}::text[]) AND is_default`,
};

/** Finds the id of a space; throws Problem `service_unavailable`. */
export interface SpaceLookup {
  find(tenantId: string, id: string): Promise<string | undefined>;
  findDefault(tenantId: string): Promise<string | undefined>;
}

/** Some 100 bytes each. */
const MAX_REMEMBERED = 10_000;

export function createSpaceLookup(lookup: Lookup<Family>): SpaceLookup {
  const find = async (family: Family, id: string) => {
    try {
      return (await lookup.find(family, [id]))?.[2];
    } catch (error) {
      throw serviceUnavailable(error);
    }
  };
  // A tenant is created with its default space, and keeps it: nothing makes another one the default.
  const defaults = new Map<string, string>();
  return {
    find: async (tenantId, id) => ((await find('spaces', id)) === tenantId ? id : undefined),
    async findDefault(tenantId) {
      const known = defaults.get(tenantId);
      if (known !== undefined) return known;
      const id = await find('default_spaces', tenantId);
      if (id === undefined) return undefined;
      if (defaults.size >= MAX_REMEMBERED) defaults.clear();
      defaults.set(tenantId, id);
      return id;
    },
  };
}

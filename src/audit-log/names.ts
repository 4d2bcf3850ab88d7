import type { EntityManager } from 'typeorm';

import { prepared } from '../db/prepared.js';

/** The names that ids have now. Ids of deleted things have none. */
export type Names = ReadonlyMap<string, string>;

/**
 * perf: each table is looked up by its primary key, only for ids that have its prefix. Credentials include personal
 * tokens. A grant has the name of its client.
 */
const FIND_NAMES = {
  name: 'names-of-ids',
  text: `
    WITH wanted AS (SELECT DISTINCT id FROM unnest($1::text[]) AS given (id))
    SELECT c.id, c.name FROM wanted JOIN credentials c ON c.id = wanted.id
      WHERE starts_with(wanted.id, 'key_') AND ($2::text IS NULL OR c.tenant_id = $2)
    UNION ALL SELECT a.id, coalesce(a.name, a.email) FROM wanted JOIN accounts a ON a.id = wanted.id
      WHERE starts_with(wanted.id, 'usr_')
    UNION ALL SELECT s.id, s.name FROM wanted JOIN spaces s ON s.id = wanted.id
      WHERE starts_with(wanted.id, 'spc_') AND ($2::text IS NULL OR s.tenant_id = $2)
    UNION ALL SELECT t.id, t.name FROM wanted JOIN tenants t ON t.id = wanted.id
      WHERE starts_with(wanted.id, 'tnt_') AND ($2::text IS NULL OR t.id = $2)
    UNION ALL SELECT g.id, c.name FROM wanted JOIN grants g ON g.id = wanted.id JOIN clients c ON c.id = g.client_id
      WHERE starts_with(wanted.id, 'grt_') AND ($2::text IS NULL OR g.tenant_id = $2)
    UNION ALL SELECT k.id, k.name FROM wanted JOIN operator_keys k ON k.id = wanted.id
      WHERE starts_with(wanted.id, 'opk_') AND $2::text IS NULL
    UNION ALL SELECT c.id, c.name FROM wanted JOIN clients c ON c.id = wanted.id
      WHERE starts_with(wanted.id, 'cli_') OR starts_with(wanted.id, 'https://')`,
};

/**
 * Finds the names of things that entries and counts name by id, by one statement.
 *
 * @param tenantId the tenant whose log or usage names them; `undefined` for the operator. Names of another tenant's keys,
 *   spaces and grants are not found
 */
export async function findNames(
  manager: EntityManager,
  tenantId: string | undefined,
  ids: readonly string[],
): Promise<Names> {
  if (ids.length === 0) return new Map();
  const rows = await prepared(manager)<{ id: string; name: string }>(FIND_NAMES, [
    [...new Set(ids)],
    tenantId ?? null,
  ]);
  return new Map(rows.map(({ id, name }) => [id, name]));
}

/**
 * SQL for the candidates of a page: the ids and positions of keys. `$1` is the tenant, `$2` the environments, `$3` the kinds,
 * and `$4` the position that the page begins behind. `account` is the placeholder of the account, if the list is of one.
 */

/** Bounds the candidates that one page examines for conditions that no index covers. */
export const MAX_EXAMINED = 5000;

/** Whose keys a list has: some that a tenant manages, all of them, or those of an account in the tenant. */
export type Owner = 'tenant' | 'whole-tenant' | 'account';

/** The newest keys of an owner, by an index in the order of the list. */
export function newestOf(owner: Owner, limit: number, account = ''): string {
  if (owner === 'account') return rangeOfAccount(limit, account);
  return owner === 'tenant' ? rangesOfTenant(limit) : rangeOfWholeTenant(limit);
}

/** The newest keys with an external id. A few have the same one, so that all of them are read and sorted. */
export const byExternalId = (limit: number, conditions: readonly string[], account?: string) => `
  ${matching(conditions, account)}
  ORDER BY c.issue_seq DESC LIMIT ${limit}`;

/** Keys with some metadata, up to one more than a page examines. Without an order, that also bounds what is read. */
export const byMetadata = (conditions: readonly string[], account?: string) =>
  `${matching(conditions, account)} LIMIT ${MAX_EXAMINED + 1}`;

/**
 * perf: reads one short index range for each environment and kind, so the tenant's size does not matter. Sub-selects hide
 * the values of short ranges from the planner, which would otherwise plan for them each time (decision 15). For long
 * ranges it has to know them: it sorts a whole tenant otherwise.
 */
function rangesOfTenant(limit: number): string {
  const value = (text: string) => (limit < MAX_EXAMINED ? `(SELECT ${text})` : text);
  return `
  SELECT found.id, found.issue_seq
  FROM unnest(${value('$2::text[]')}) AS e (environment)
    CROSS JOIN unnest(${value('$3::text[]')}) AS k (kind)
    CROSS JOIN LATERAL (
      SELECT c.id, c.issue_seq FROM credentials c
      WHERE c.tenant_id = ${value('$1::text')} AND c.environment = e.environment AND c.kind = k.kind
        AND c.issue_seq < ${value('$4::bigint')}
      ORDER BY c.issue_seq DESC LIMIT ${limit}) AS found
  ORDER BY found.issue_seq DESC LIMIT ${limit}`;
}

/** The condition for all keys that a tenant manages, of any kind. */
export const OF_TENANT = `c.principal_kind <> 'user'`;

/**
 * All keys that a tenant manages: one range of an index of their own. PostgreSQL refuses parameters that no condition
 * names.
 */
const rangeOfWholeTenant = (limit: number) => `
  SELECT c.id, c.issue_seq FROM credentials c
  WHERE c.tenant_id = $1 AND ${OF_TENANT} AND c.issue_seq < $4::bigint
    AND $2::text[] IS NOT NULL AND $3::text[] IS NOT NULL
  ORDER BY c.issue_seq DESC LIMIT ${limit}`;

const rangeOfAccount = (limit: number, account: string) => `
  SELECT c.id, c.issue_seq FROM credentials c
  WHERE c.principal_kind = 'user' AND c.principal_id = ${account} AND c.tenant_id = $1
    AND c.environment = ANY ($2::text[]) AND c.kind = ANY ($3::text[]) AND c.issue_seq < $4::bigint
  ORDER BY c.issue_seq DESC LIMIT ${limit}`;

/** The keys that meet conditions of an index which is not in the order of the list. */
const matching = (conditions: readonly string[], account: string | undefined) => `
  SELECT c.id, c.issue_seq FROM credentials c
  WHERE c.tenant_id = $1 AND ${conditions.join(' AND ')}
    AND c.environment = ANY ($2::text[]) AND c.kind = ANY ($3::text[]) AND c.issue_seq < $4::bigint
    ${account === undefined ? '' : `AND c.principal_kind = 'user' AND c.principal_id = ${account}`}`;

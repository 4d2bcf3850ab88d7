import type { EntityManager } from 'typeorm';

import type { Environment } from '../../credentials/kinds.js';

/** A record that an agent can be bound to. */
export interface BoundRecord {
  readonly type: string;
  readonly id: string;
  /** `undefined` for a record that is not there any more, or of a type without names. */
  readonly name: string | undefined;
}

/** The types whose records have names here. */
export const RECORD_TYPES = ['contacts', 'products'] as const;

/** Records that the form suggests, of each type. */
const MAX_SUGGESTED = 200;

const NAMES = {
  contacts: `coalesce(nullif(concat_ws(' ', r.first_name, r.last_name), ''), r.company_name, r.email, '')`,
  products: 'r.name',
} as const;

const IS_THERE = 'r.tenant_id = $1 AND r.environment = $2 AND r.deleted_at IS NULL';

const unionOf = (condition: string) =>
  RECORD_TYPES.map(
    (type) => `(SELECT '${type}' AS type, r.id::text AS id, ${NAMES[type]} AS name FROM ${type} r
      WHERE ${IS_THERE} AND ${condition})`,
  ).join(' UNION ALL ');

/** Reads records of a tenant for the suggestions of the form, a bounded number. */
export function readSuggestions(
  manager: EntityManager,
  tenantId: string,
  environment: Environment,
): Promise<readonly (BoundRecord & { readonly name: string })[]> {
  const sql = unionOf(`true LIMIT ${MAX_SUGGESTED}`);
  return manager.query(sql, [tenantId, environment]);
}

/** Adds the names to bindings, by one statement. */
export async function nameRecords(
  manager: EntityManager,
  tenantId: string,
  environment: Environment,
  bindings: readonly { readonly type: string; readonly id: string }[],
): Promise<readonly BoundRecord[]> {
  const ids = bindings.map(({ id }) => id).filter((id) => /^\d{1,9}$/.test(id));
  const found =
    ids.length === 0
      ? []
      : await manager.query<readonly BoundRecord[]>(unionOf('r.id = ANY ($3::bigint[])'), [
          tenantId,
          environment,
          ids,
        ]);
  return bindings.map(({ type, id }) => ({
    type,
    id,
    name: found.find((record) => record.type === type && record.id === id)?.name,
  }));
}

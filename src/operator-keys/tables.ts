import { IS_EXPIRED, IS_REVOKED } from '../credentials/tables.js';
import type { KeyedRows } from '../db/keyed-rows.js';

/** The rows that depend on `SECRET_KEYS`. */
export const OPERATOR_KEYED_ROWS = [
  {
    counts: 'digests',
    table: 'operator_keys c',
    column: 'digest_key_id',
    condition: `NOT ${IS_REVOKED} AND NOT ${IS_EXPIRED}`,
  },
] as const satisfies readonly KeyedRows[];

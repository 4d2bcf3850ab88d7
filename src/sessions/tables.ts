import { IS_VALID } from '../credentials/tables.js';
import type { KeyedRows } from '../db/keyed-rows.js';
import { Session } from './session.entity.js';

export const SESSION_ENTITIES = [Session];

export const SESSION_KEYED_ROWS = [
  {
    counts: 'sessions',
    table: 'sessions c',
    column: 'digest_key_id',
    condition: IS_VALID,
  },
] as const satisfies readonly KeyedRows[];

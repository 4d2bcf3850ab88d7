import type { KeyedRows } from '../../db/keyed-rows.js';
import { IdempotencyRecord } from './idempotency.entity.js';

export const IDEMPOTENCY_ENTITIES = [IdempotencyRecord];

export const IDEMPOTENCY_KEYED_ROWS = [
  {
    counts: 'rememberedAnswers',
    table: 'idempotency_records',
    column: 'body_key_id',
    condition: `created_at > gatehouse_now() - interval '24 hours'`,
  },
] as const satisfies readonly KeyedRows[];
